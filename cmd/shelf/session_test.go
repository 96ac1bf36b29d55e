package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pkgsftp "github.com/pkg/sftp"

	"shelf/cmd/shelf/connect"
	"shelf/cmd/shelf/sftp"
	"shelf/cmd/shelf/ui"
)

// prompt is a session on a server, as the prompt has one: it goes on after mistakes.
type prompt struct {
	*session
	out, errs *bytes.Buffer
}

func (s *server) prompt(t *testing.T) *prompt {
	t.Helper()
	p := &prompt{out: &bytes.Buffer{}, errs: &bytes.Buffer{}}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	u := &ui.UI{In: null, Out: p.out, Err: p.errs}
	o := options{ui: u, Options: connect.Options{UI: u, Identities: []string{s.identity}, KnownHosts: s.known, Config: "none", LoginTime: connect.LoginTime}}
	if p.session, err = newSession(o, s.addr); err != nil {
		t.Fatal(err)
	}
	if p.server, err = p.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.server.Close() })
	return p
}

// isLost waits until the client knows that the connection is lost.
func (p *prompt) isLost(t *testing.T) {
	t.Helper()
	within(t, 20*time.Second, func() {
		for !p.server.Lost() {
			time.Sleep(time.Millisecond)
		}
	})
}

// says gives the error of a line.
func (p *prompt) says(t *testing.T, line string) string {
	t.Helper()
	if err := p.line(context.Background(), line); err != nil {
		return err.Error()
	}
	return ""
}

// cutter removes files and, once it is armed, ends the connection before it
// says so.
type cutter struct {
	*library
	s     *server
	armed atomic.Bool
}

func (c *cutter) Filecmd(r *pkgsftp.Request) error {
	if r.Method != "Remove" {
		return c.library.Filecmd(r)
	}
	c.mu.Lock()
	delete(c.files, strings.TrimPrefix(r.Filepath, "/"))
	c.mu.Unlock()
	if c.armed.Swap(false) {
		c.s.last.Load().Close()
	}
	return nil
}

// A remove that was cut had removed the file. Somebody else has put one of that
// name since: reconnect must not remove that as well.
func TestReconnectRepeatsOnlyTransfers(t *testing.T) {
	s := newServer(t, map[string]string{"x": "old"})
	c := &cutter{library: s.handlers.FileGet.(*library), s: s}
	s.handlers.FileCmd = c
	c.armed.Store(true)
	p := s.prompt(t)
	said := p.says(t, "remove -f x")
	if !strings.Contains(said, "the next command connects again") || strings.Contains(said, "goes on") {
		t.Errorf("said: %s", said)
	}
	c.mu.Lock()
	c.files["x"] = "new"
	c.mu.Unlock()
	p.says(t, "list") // connects again
	if said := p.says(t, "reconnect"); said != "" {
		t.Error(said)
	}
	if c.files["x"] != "new" {
		t.Error("the new file was removed")
	}
}

// A transfer that was cut is forgotten when another command has run since.
func TestReconnectForgets(t *testing.T) {
	files := map[string]string{}
	s := newServer(t, files)
	p := s.prompt(t)
	file := filepath.Join(t.TempDir(), "stale")
	save(t, file, "stale")
	s.last.Load().Close()
	p.isLost(t)
	p.cut = []string{"put", file}
	p.says(t, "list")
	p.says(t, "reconnect")
	if _, ok := files["stale"]; ok {
		t.Error("reconnect went back to a command before the last")
	}
}

// A command that could not connect has done nothing: what was cut before it is
// gone on with.
func TestReconnectAfterVainTry(t *testing.T) {
	files := map[string]string{}
	s := newServer(t, files)
	p := s.prompt(t)
	file := filepath.Join(t.TempDir(), "f")
	save(t, file, "x")
	s.last.Load().Close()
	p.isLost(t)
	p.cut = []string{"put", file}
	connect := p.connect
	p.connect = func(context.Context) (*sftp.Client, error) { return nil, errors.New("the network is down") }
	p.says(t, "list")
	p.connect = connect
	if said := p.says(t, "reconnect"); said != "" {
		t.Error(said)
	}
	if files["f"] != "x" {
		t.Error("it was forgotten")
	}
}

// A lost connection is told once, however often it takes to connect again.
func TestConnectAgainSaysOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{})
	p := s.prompt(t)
	s.last.Load().Close()
	p.isLost(t)
	tries, connect := 0, p.connect
	p.connect = func(ctx context.Context) (*sftp.Client, error) {
		if tries++; tries < 3 {
			return nil, errors.New("the network is down")
		}
		return connect(ctx)
	}
	for range 3 {
		p.connected(t.Context())
	}
	for _, once := range []string{"is lost; connecting again", "Connected again."} {
		if n := strings.Count(p.errs.String(), once); n != 1 {
			t.Errorf("%q is said %d times:\n%s", once, n, p.errs)
		}
	}
}
