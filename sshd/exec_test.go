package sshd

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/local"
)

// shelfOf serves a library in a folder of its own, with these permissions, and
// returns the folder.
func shelfOf(t *testing.T, p vfs.Permissions) (*testServer, string) {
	t.Helper()
	return shelfKeeping(t, p, local.PartialRules{})
}

// shelfKeeping is shelfOf with beginnings kept as rules say.
func shelfKeeping(t *testing.T, p vfs.Permissions, rules local.PartialRules) (*testServer, string) {
	t.Helper()
	folder := t.TempDir()
	library, err := local.Open(folder, local.Options{Partials: &rules})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { library.Close() })
	return serve(t, func(c *Config) {
		c.Session = func(keys.Identity) (Service, error) {
			return Service{Options: access.Options{Library: library, Permissions: p, MaxFileSize: 1 << 20}}, nil
		}
	}), folder
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// peer is the client's end of a command.
type peer struct {
	ssh.Channel
	t        *testing.T
	requests <-chan *ssh.Request
}

func (s *testServer) exec(t *testing.T, client *ssh.Client, line string) *peer {
	t.Helper()
	channel, requests := openSession(t, client)
	if ok, err := channel.SendRequest("exec", true, str(line)); !ok || err != nil {
		t.Fatalf("%.40q is refused: %v", line, err)
	}
	// Whoever waits in vain for the server to say something is woken.
	wake := time.AfterFunc(patience, func() { channel.Close() })
	t.Cleanup(func() { wake.Stop() })
	return &peer{channel, t, requests}
}

// end sends the end of the input and returns all there is of output.
func (p *peer) end() (stdout, stderr string, status int) {
	p.t.Helper()
	p.CloseWrite()
	out := make(chan string)
	go func() {
		text, _ := io.ReadAll(p.Channel)
		out <- string(text)
	}()
	stderr, status = outcome(p.t, p.Channel, p.requests)
	return <-out, stderr, status
}

func TestExecRunsNothing(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	write(t, folder, "a", "hello")
	client := s.dial(t)
	touched := filepath.Join(t.TempDir(), "touched")
	for _, line := range []string{
		"id", "/bin/sh", "sh -c id", "", " ", "''", "MD5SUM a", "md5sum; touch " + touched, "md5sum a; touch " + touched,
		"md5sum `touch " + touched + "`", "md5sum $(touch " + touched + ")", `md5sum "$(touch ` + touched + `)"`,
		"md5sum a | tee " + touched, "md5sum a > " + touched, "md5sum a\ntouch " + touched, "md5sum a & touch " + touched,
		"scp -t . ; touch " + touched, "/usr/bin/md5sum a", "X=1 md5sum a", "exec md5sum a", "'md5sum a'",
		"md5sum a\x00b", strings.Repeat("a", maxCommand+1), "md5sum " + strings.Repeat("a ", maxCommand), "rsync --server . .",
		"echo ${ShellId}%ComSpec%; id", "echo hello", "sftp-server", "internal-sftp", "scp\x1b[2J",
	} {
		stdout, stderr, status := s.exec(t, client, line).end()
		if stdout != "" || status != exitNotFound || !strings.Contains(stderr, "This is a file service") || strings.Contains(stderr, "\x1b") {
			t.Errorf("%.60q: %q, %q, status %d", line, stdout, stderr, status)
		}
	}
	if _, err := os.Stat(touched); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was run")
	}
	if e := s.events.await(t, OpExec); e.Name != "id" || e.Err == nil || e.Account != "ana" {
		t.Errorf("it is not reported: %+v", e)
	}
}

func TestShellQuestion(t *testing.T) {
	s, _ := shelfOf(t, vfs.DefaultPermissions())
	client := s.dial(t)
	if stdout, stderr, status := s.exec(t, client, "echo ${ShellId}%ComSpec%").end(); stdout != "%ComSpec%\n" || stderr != "" || status != 0 {
		t.Errorf("%q, %q, status %d", stdout, stderr, status)
	}
}

// Each line is what coreutils writes in the same folder, to the byte.
func TestDigestsAsCoreutils(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	write(t, folder, "empty", "")
	write(t, folder, "a.txt", "hello")
	write(t, folder, "b c.txt", strings.Repeat("x", 700_000))
	write(t, folder, `back\slash`, "\\")
	write(t, folder, "-dash", "-")
	write(t, folder, "it's", "'")
	write(t, folder, "star*", "*")
	client := s.dial(t)
	for _, algorithm := range []string{"md5sum", "sha1sum", "sha256sum", "sha512sum"} {
		if _, err := exec.LookPath(algorithm); err != nil {
			t.Skipf("there is no %s to compare with", algorithm)
		}
		for _, args := range []string{
			"empty", "a.txt empty a.txt", `'b c.txt' "it's"`, `back\\slash`, "-- -dash a.txt", "./-dash ./a.txt", "-b a.txt", "a.txt --binary empty",
			"-t a.txt", "a.txt missing empty", "missing", "*.txt", "./*.txt", "'star*'", "star*", "[ab]*", "?.txt nope*", `.//a.txt`, "--text -- a.txt",
		} {
			cmd := exec.Command("sh", "-c", algorithm+" "+args)
			cmd.Dir, cmd.Env = folder, append(os.Environ(), "LC_ALL=C")
			want, _ := cmd.Output()
			stdout, stderr, status := s.exec(t, client, algorithm+" "+args).end()
			if stdout != string(want) || status != cmd.ProcessState.ExitCode() || (stderr == "") != (status == 0) {
				t.Errorf("%s %s: %q, %q, status %d; want %q and %d", algorithm, args, stdout, stderr, status, want, cmd.ProcessState.ExitCode())
			}
		}
		cmd := exec.Command(algorithm)
		want, err := cmd.Output()
		if stdout, stderr, status := s.exec(t, client, algorithm).end(); stdout != string(want) || stderr != "" || status != 0 || err != nil {
			t.Errorf("%s: %q, %q, status %d; want %q", algorithm, stdout, stderr, status, want)
		}
	}
}

func TestDigestLine(t *testing.T) {
	for name, want := range map[string]string{
		"a": "00  a\n", `a\b`: `\00  a\\b` + "\n", "a\nb": `\00  a\nb` + "\n", "a\rb": `\00  a\rb` + "\n", "a\tb": "00  a\tb\n",
	} {
		if got := digestLine([]byte{0}, ' ', name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestDigestsRefused(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	write(t, folder, "a", "hello")
	write(t, folder, ".hidden", "hidden")
	if err := os.Symlink("/etc/passwd", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	client := s.dial(t)
	for _, args := range []string{
		"link", "/etc/passwd", "../../../etc/passwd", ".hidden", ".", "/", "''", "-c a", "--check a", "--tag a", "-z a", "-",
		"/proc/self/environ", folder + "/a", ".shelf", "'a\x1b[2J'", "*/*", "/etc/*", "../etc/pass*", strings.Repeat("a", 300),
	} {
		stdout, stderr, status := s.exec(t, client, "md5sum "+args).end()
		if stdout != "" || stderr == "" || status != exitFailure || strings.Contains(stderr, folder) && !strings.Contains(args, folder) || strings.Contains(stderr, "\x1b") {
			t.Errorf("%s: %q, %q, status %d", args, stdout, stderr, status)
		}
	}
	// There is no digest of other input; it would be a wrong one.
	p := s.exec(t, client, "md5sum")
	io.WriteString(p, "hello")
	if stdout, stderr, status := p.end(); stdout != "" || !strings.Contains(stderr, "name one") || status != exitFailure {
		t.Errorf("of stdin: %q, %q, status %d", stdout, stderr, status)
	}
}

func TestDigestsNeedRead(t *testing.T) {
	s, folder := shelfOf(t, vfs.Permissions{List: true, Write: true})
	write(t, folder, "a", "hello")
	stdout, stderr, status := s.exec(t, s.dial(t), "md5sum a").end()
	if stdout != "" || !strings.Contains(stderr, "may not read") || status != exitFailure {
		t.Errorf("%q, %q, status %d", stdout, stderr, status)
	}
	if e := s.events.await(t, "digest"); e.Name != "a" || e.Err == nil || e.Account != "ana" {
		t.Errorf("reported as %+v", e)
	}
}

// endless is a library with a file that has no end, as far as anyone waits.
type endless struct {
	vfs.Library
	reading chan struct{} // closed when it is read
	ended   chan error    // what ended it
}

func (e endless) Open(ctx context.Context, name string) (vfs.File, error) {
	f, err := e.Library.Open(ctx, name)
	return endlessFile{f, e}, err
}

type endlessFile struct {
	vfs.File
	e endless
}

func (f endlessFile) Digest(ctx context.Context, _ crypto.Hash) ([]byte, error) {
	close(f.e.reading)
	<-ctx.Done()
	f.e.ended <- ctx.Err()
	return nil, ctx.Err()
}

// Who closes the channel is no longer worked for, though the connection stays;
// and until then the server is not idle.
func TestDigestsEndWithTheChannel(t *testing.T) {
	e := endless{openLibrary(t), make(chan struct{}), make(chan error, 1)}
	u, err := e.Create(t.Context(), "a", vfs.CreateOptions{Create: true})
	if err == nil {
		_, err = u.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(c *Config) {
		c.Session = func(keys.Identity) (Service, error) {
			return Service{Options: access.Options{Library: e, Permissions: vfs.DefaultPermissions()}}, nil
		}
	})
	client := s.dial(t)
	p := s.exec(t, client, "md5sum a")
	<-e.reading
	s.mu.Lock()
	for c := range s.conns {
		if c.idle() {
			t.Error("the server would stop as if nothing were done")
		}
	}
	s.mu.Unlock()
	p.Close()
	<-e.ended
	s.works(t)
}

// Many at once, each with names enough to fill a window, disturb nobody.
func TestExecManyAtOnce(t *testing.T) {
	s, folder := shelfOf(t, vfs.DefaultPermissions())
	write(t, folder, "a", "hello")
	line := "md5sum" + strings.Repeat(" a", 2000)
	done := make(chan error)
	for range 4 {
		client := s.dial(t)
		go func() {
			session, err := client.NewSession()
			if err != nil {
				done <- err
				return
			}
			out, err := session.Output(line)
			if n := bytes.Count(out, []byte("\n")); n != 2000 && err == nil {
				err = fmt.Errorf("%d lines", n)
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
