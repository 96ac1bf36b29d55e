package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pkg/sftp"
)

// A space at the end of a line may be escaped, as Tab does it.
func TestEscapedSpaceAtEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newServer(t, nil).prompt(t)
	p.line(t.Context(), "put "+dir+`/sp\ `)
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
	c := &completer{session: p.session, ctx: t.Context()}
	if words := c.complete("sync ~").Words; !slices.Equal(words, []string{"~/"}) {
		t.Errorf("Tab makes it %q", words)
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
	p := s.prompt(t)
	tab := &completer{session: p.session, ctx: t.Context()}
	for range 3 {
		tab.complete("get a")
	}
	if n := c.lists.Load(); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
}
