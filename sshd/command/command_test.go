package command

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// library is a library in a folder, where commands are run.
type library struct {
	options access.Options
	mu      sync.Mutex
	events  []vfs.Event // mu
	lost    func() bool // of each call; nil is unknown
}

// newLibrary makes a library with these permissions. It also returns its folder.
func newLibrary(t *testing.T, p vfs.Permissions) (*library, string) {
	t.Helper()
	folder := t.TempDir()
	dir, err := local.Open(folder, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	l := new(library)
	l.options = access.Options{Library: dir, Permissions: p, MaxFileSize: 1 << 20, Report: l.report}
	return l, folder
}

func (l *library) report(e vfs.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return nil
}

// event returns the first event of an operation. The command must have ended.
func (l *library) event(t *testing.T, op string) vfs.Event {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Op == op {
			return e
		}
	}
	t.Fatalf("no event of %s in %+v", op, l.events)
	return vfs.Event{}
}

// client is the client's end of a running command.
type client struct {
	t              *testing.T
	stdin, stdout  *pipe
	stderr         bytes.Buffer // to be read after ended
	ended          chan struct{}
	status         int
	err            error
	stdinAndStdout struct {
		io.Reader
		io.Writer
	}
}

// run starts a command. It is stopped when the test ends.
func (l *library) run(t *testing.T, line string) *client {
	t.Helper()
	c := &client{t: t, stdin: newPipe(), stdout: newPipe(), ended: make(chan struct{})}
	c.stdinAndStdout.Reader, c.stdinAndStdout.Writer = c.stdin, c.stdout
	access := access.New(t.Context(), l.options)
	go func() {
		defer close(c.ended)
		defer c.stdout.close()
		status, err := Run(Call{Line: line, Access: access, Channel: c.stdinAndStdout, Stderr: &c.stderr, Lost: l.lost})
		c.status, c.err = int(status), err
		if access.OpenHandles() != 0 {
			t.Errorf("%.40q: a file is still open", line)
		}
	}()
	// A test that waits in vain for output is woken.
	wake := time.AfterFunc(patience, c.close)
	t.Cleanup(func() { wake.Stop(); c.close(); <-c.ended })
	return c
}

// close is a client that goes away.
func (c *client) close() {
	c.stdin.close()
	c.stdout.close()
}

// end ends stdin, and returns the rest of the output when the command has ended.
func (c *client) end() (stdout, stderr string, status int) {
	c.t.Helper()
	c.stdin.close()
	out, _ := io.ReadAll(c.stdout)
	<-c.ended
	return string(out), c.stderr.String(), c.status
}

// says reads want from the output.
func (c *client) says(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c.stdout, got); string(got) != want {
		c.t.Fatalf("the server says %q (%v), want %q", got[:n], err, want)
	}
}

// line reads a line of the output.
func (c *client) line() string {
	var line []byte
	for b := make([]byte, 1); !bytes.HasSuffix(line, []byte("\n")); line = append(line, b...) {
		if _, err := c.stdout.Read(b); err != nil {
			break
		}
	}
	return string(line)
}

// complains reads a message that begins with code and contains text.
func (c *client) complains(code byte, text string) {
	c.t.Helper()
	if line := c.line(); line == "" || line[0] != code || !strings.Contains(line, text) {
		c.t.Fatalf("the server says %q, want code %d and %q", line, code, text)
	}
}

func (c *client) sends(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.stdin, text); err != nil {
		c.t.Fatal(err)
	}
}

// ends ends stdin and checks the exit status.
func (c *client) ends(status int, what string) {
	c.t.Helper()
	stdout, stderr, got := c.end()
	if got != status || c.err != nil {
		c.t.Errorf("%s: status %d (%v), want %d; the server says %q, %q", what, got, c.err, status, stdout, stderr)
	}
}

// pipe is like an io.Pipe whose writer never waits, as the window of an SSH
// channel is larger than what is written here.
type pipe struct {
	mu     sync.Mutex
	wake   *sync.Cond
	data   bytes.Buffer // mu
	closed bool         // mu
}

func newPipe() *pipe {
	p := new(pipe)
	p.wake = sync.NewCond(&p.mu)
	return p
}

func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.data.Len() == 0 && !p.closed {
		p.wake.Wait()
	}
	return p.data.Read(b)
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, io.ErrClosedPipe
	}
	p.wake.Broadcast()
	return p.data.Write(b)
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.wake.Broadcast()
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, folder, name, want string) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
		t.Errorf("%s is %q, %v; want %q", name, got, err, want)
	}
}

// isEmpty checks that no file is in the library, and no upload in its hidden folder.
func isEmpty(t *testing.T, folder, after string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != "lock" && e.Name() != "names" && e.Name() != "owner" {
			t.Errorf("%s: %s is left", after, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// None of these lines runs anything, neither here nor in a shell.
func TestRefusedLines(t *testing.T) {
	l, folder := newLibrary(t, vfs.DefaultPermissions())
	write(t, folder, "a", "hello")
	touched := filepath.Join(t.TempDir(), "touched")
	for _, line := range []string{
		"id", "/bin/sh", "sh -c id", "", " ", "''", "MD5SUM a", "md5sum; touch " + touched, "md5sum a; touch " + touched,
		"md5sum `touch " + touched + "`", "md5sum $(touch " + touched + ")", `md5sum "$(touch ` + touched + `)"`,
		"md5sum a | tee " + touched, "md5sum a > " + touched, "md5sum a\ntouch " + touched, "md5sum a & touch " + touched,
		"scp -t . ; touch " + touched, "/usr/bin/md5sum a", "X=1 md5sum a", "exec md5sum a", "'md5sum a'",
		"md5sum a\x00b", strings.Repeat("a", maxLine+1), "md5sum " + strings.Repeat("a ", maxLine), "rsync --server . .",
		"echo ${ShellId}%ComSpec%; id", "echo hello", "sftp-server", "internal-sftp", "scp\x1b[2J",
	} {
		c := l.run(t, line)
		stdout, stderr, status := c.end()
		if stdout != "" || stderr != "" || status != 0 || c.err == nil || strings.Contains(c.err.Error(), "\x1b") {
			t.Errorf("%.60q: %q, %q, status %d, %v", line, stdout, stderr, status, c.err)
		}
	}
	if _, err := os.Stat(touched); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was run")
	}
}

// The error for an unknown command lists those that there are.
func TestUnknownCommand(t *testing.T) {
	l, _ := newLibrary(t, vfs.DefaultPermissions())
	c := l.run(t, "id")
	c.end()
	if c.err == nil || !strings.Contains(c.err.Error(), "scp, md5sum, sha1sum, sha256sum, sha512sum") {
		t.Errorf("%v", c.err)
	}
}

func TestShellQuestion(t *testing.T) {
	l, _ := newLibrary(t, vfs.DefaultPermissions())
	if stdout, stderr, status := l.run(t, "echo ${ShellId}%ComSpec%").end(); stdout != "%ComSpec%\n" || stderr != "" || status != 0 {
		t.Errorf("%q, %q, status %d", stdout, stderr, status)
	}
}
