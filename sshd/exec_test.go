package sshd

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"io"
	"os"
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

// serveFolder serves a folder, which it returns. Uploads that were cut are kept.
func serveFolder(t *testing.T) (*testServer, string) {
	t.Helper()
	folder := t.TempDir()
	library, err := local.Open(folder, local.Options{Partials: &local.PartialRules{MinSize: 1, PerAccount: 9, MaxAge: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { library.Close() })
	return serve(t, func(c *Config) {
		c.Session = func(keys.Identity) (Service, error) {
			return Service{Options: access.Options{Library: library, Permissions: vfs.DefaultPermissions()}}, nil
		}
	}), folder
}

// startCommand starts a command and sends its whole stdin, but does not end it.
func startCommand(t *testing.T, client *ssh.Client, line, stdin string) (ssh.Channel, <-chan *ssh.Request) {
	t.Helper()
	channel, requests := openSession(t, client)
	if ok, err := channel.SendRequest("exec", true, str(line)); !ok || err != nil {
		t.Fatalf("%.40q is refused: %v", line, err)
	}
	if _, err := io.WriteString(channel, stdin); err != nil {
		t.Fatal(err)
	}
	return channel, requests
}

// The exit status, the output and the events of commands reach whom they should.
func TestExec(t *testing.T) {
	s, folder := serveFolder(t)
	client := s.dial(t)
	for _, test := range []struct {
		line, stdin    string
		stdout, stderr string // what is in them
		status         int
	}{
		{"scp -t .", "C0644 5 a\nhello\x00", "\x00\x00\x00", "", exitOK},
		{"md5sum a", "", "5d41402abc4b2a76b9719d911017c592  a\n", "", exitOK},
		{"md5sum b", "", "", "no such file", exitFailure},
		{"id", "", "", "does not run programs", exitNotFound},
		{"md5sum a; id", "", "", "This is a file service", exitNotFound},
		{"", "", "", "This is a file service", exitNotFound},
	} {
		channel, requests := startCommand(t, client, test.line, test.stdin)
		channel.CloseWrite()
		stderr, status := outcome(t, channel, requests)
		stdout, err := io.ReadAll(channel)
		if string(stdout) != test.stdout || err != nil || !strings.Contains(stderr, test.stderr) || status != test.status {
			t.Errorf("%q: %q, %q, status %d, %v", test.line, stdout, stderr, status, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(folder, "a")); string(text) != "hello" {
		t.Errorf("the upload is %q, %v", text, err)
	}
	for op, name := range map[string]string{"put": "a", "digest": "a", OpExec: "id"} {
		if e := s.events.await(t, op); e.Name != name || e.Account != "ana" || (e.Err != nil) != (op == OpExec) {
			t.Errorf("%s is reported as %+v", op, e)
		}
	}
}

// An upload that was cut can be resumed, as over SFTP. An upload whose content
// is not what was announced can't.
func TestScpCut(t *testing.T) {
	s, folder := serveFolder(t)
	for what, test := range map[string]struct {
		data string
		kept int
	}{
		"a cut":                 {"hel", 1},
		"a cut before the NUL":  {"hello", 1},
		"more than announced":   {"hello, world", 0},
		"an error at the end":   {"hel\x00\x00\x01scp: a: Input/output error\n", 0},
		"a fatal error instead": {"hello\x02scp: a: lost\n", 0},
	} {
		client := s.dial(t)
		channel, _ := startCommand(t, client, "scp -t .", "C0644 5 a\n"+test.data)
		if _, err := io.ReadFull(channel, make([]byte, 2)); err != nil { // the upload has begun
			t.Fatal(err)
		}
		client.Close()
		eventually(t, "the end of the connection", func() bool { return s.Count() == 0 })
		kept, err := filepath.Glob(filepath.Join(folder, ".shelf", "partials", "*"))
		if err != nil || len(kept) != test.kept {
			t.Errorf("%s: %q, %v", what, kept, err)
		}
		for _, file := range kept {
			os.Remove(file)
		}
		if _, err := os.Stat(filepath.Join(folder, "a")); err == nil {
			t.Errorf("%s: it was published", what)
		}
	}
	if e := s.events.await(t, "put"); e.Err == nil || e.Name != "a" {
		t.Errorf("reported as %+v", e)
	}
}

// A client that ends its channel after the last byte, and then is gone at once,
// without waiting for an answer and without a word, has sent a whole file.
func TestScpEndThenGone(t *testing.T) {
	s, folder := serveFolder(t)
	for range 10 {
		client := s.dial(t)
		channel, _ := startCommand(t, client, "scp -t .", "C0644 5 a\nhello")
		if _, err := io.ReadFull(channel, make([]byte, 2)); err != nil { // both records are taken
			t.Fatal(err)
		}
		if err := channel.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		client.Close()
		eventually(t, "the end of the connection", func() bool { return s.Count() == 0 })
		if got, err := os.ReadFile(filepath.Join(folder, "a")); string(got) != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
		if err := os.Remove(filepath.Join(folder, "a")); err != nil {
			t.Fatal(err)
		}
	}
}

// endless is a library with a file whose digest is never done.
type endless struct {
	vfs.Library
	reading chan struct{} // closed when the digest begins
	ended   chan error    // why it ended
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

// A client that closes the channel but keeps the connection ends its command.
// Until then the server is not idle.
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
	channel, _ := startCommand(t, client, "md5sum a", "")
	<-e.reading
	s.mu.Lock()
	for c := range s.conns {
		if c.idle() {
			t.Error("the server would stop as if nothing were done")
		}
	}
	s.mu.Unlock()
	channel.Close()
	<-e.ended
	s.works(t)
}

// Several commands at once don't disturb each other.
func TestExecManyAtOnce(t *testing.T) {
	s, folder := serveFolder(t)
	if err := os.WriteFile(filepath.Join(folder, "a"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	line := "md5sum" + strings.Repeat(" a", 500)
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
			if n := bytes.Count(out, []byte("\n")); n != 500 && err == nil {
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
