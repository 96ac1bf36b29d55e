package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/term"
)

// keyboard is an editor whose screen is the prompt's output.
func (p *prompt) keyboard(t *testing.T) *editor {
	t.Helper()
	e := &editor{shell: p.shell, ctx: t.Context()}
	e.terminal = term.NewTerminal(&keys{Reader: strings.NewReader(""), Writer: p.out}, "")
	return e
}

// tab presses it at the end of a line, and gives the line.
func (e *editor) tab(line string) string {
	if now, _, ok := e.key(line, len(line), '\t'); ok {
		return now
	}
	return line
}

// What two names have in common may end in a space, which is escaped: the next
// Tab lists both, and the line can be sent.
func TestTabUpToSpace(t *testing.T) {
	dir := t.TempDir()
	save(t, filepath.Join(dir, "sp one.txt"), "1")
	save(t, filepath.Join(dir, "sp two.txt"), "2")
	p := newServer(t, nil).prompt(t)
	e := p.keyboard(t)
	line := e.tab("put " + dir + "/sp")
	if line != "put "+dir+`/sp\ ` {
		t.Fatalf("the line is %q", line)
	}
	if e.tab(line) != line || !strings.Contains(p.out.String(), "sp one.txt") || !strings.Contains(p.out.String(), "sp two.txt") {
		t.Errorf("the second Tab shows %q", p.out)
	}
	p.line(t.Context(), line)
	if want := "/sp : no such file"; !strings.Contains(p.errs.String(), want) {
		t.Errorf("%q is not in: %s", want, p.errs)
	}
}

// A ~ alone is the home folder where a folder is meant.
func TestBareHome(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	p := newServer(t, map[string]string{"~": "a name", "f": "x"}).prompt(t)
	if said := p.says(t, "get f to ~"); said != "" {
		t.Error(said)
	}
	if _, err := os.Stat(filepath.Join(home, "f")); err != nil {
		t.Error(err)
	}
	if said := p.says(t, "info ~"); said != "" {
		t.Error(said)
	}
	if line := p.keyboard(t).tab("sync ~"); line != "sync ~/" {
		t.Errorf("Tab makes it %q", line)
	}
}

func TestLineWithoutEnd(t *testing.T) {
	p := newServer(t, nil).prompt(t)
	for line, want := range map[string]string{
		"get 'a b": "a quote ' is not closed",
		`get "a b`: `a quote " is not closed`,
		`get a\`:   `nothing follows the last \`,
	} {
		if said := p.says(t, line); said != want {
			t.Errorf("%s: %s", line, said)
		}
	}
}

// counting counts the listings, which it refuses.
type counting struct {
	*library
	lists atomic.Int32
}

func (c *counting) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method == "List" {
		c.lists.Add(1)
		return nil, sftp.ErrSSHFxPermissionDenied
	}
	return c.library.Filelist(r)
}

// A server that does not list, or not in time, makes one Tab of a line wait.
func TestTabWaitsOnce(t *testing.T) {
	s := newServer(t, nil)
	c := &counting{library: s.handlers.FileGet.(*library)}
	s.handlers.FileList = c
	e := s.prompt(t).keyboard(t)
	for range 3 {
		e.tab("get a")
	}
	if n := c.lists.Load(); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
}
