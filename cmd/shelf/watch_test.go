package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// has waits until the library has a file that is so.
func (l *library) has(t *testing.T, name, text string) {
	t.Helper()
	for range 1000 {
		l.mu.Lock()
		got, ok := l.files[name]
		l.mu.Unlock()
		if ok && got == text {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s is not there", name)
}

// watches has a prompt watch a folder; stop ends that and gives its error.
func (p *prompt) watches(t *testing.T, dir string) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.line(ctx, "watch --settle 40ms "+dir) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// Who may only put files can watch a folder.
func TestWatchForDropBox(t *testing.T) {
	s := newServer(t, map[string]string{})
	l := s.handlers.FileGet.(*library)
	s.handlers.FileList = dropBox{l}
	dir := t.TempDir()
	save(t, filepath.Join(dir, "first"), "1")
	stop := s.prompt(t).watches(t, dir)
	l.has(t, "first", "1")
	save(t, filepath.Join(dir, "then"), "2")
	l.has(t, "then", "2")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// What the server forbids, as a drop box does to replace a file, is tried once,
// and not again and again.
func TestWatchTriesForbiddenOnce(t *testing.T) {
	s := newServer(t, map[string]string{})
	l := s.handlers.FileGet.(*library)
	dir := t.TempDir()
	save(t, filepath.Join(dir, "refused"), "1")
	p := s.prompt(t)
	stop := p.watches(t, dir)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} { // each takes longer than to try again
		save(t, filepath.Join(dir, name), name)
		l.has(t, name, name)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(p.errs.String(), "/refused: permission denied"); n != 1 {
		t.Errorf("it is tried %d times:\n%s", n, p.errs)
	}
}

// A folder that is removed and made again is another one, of which the system
// says nothing: to go on would be to watch in vain.
func TestWatchEndsWithItsFolder(t *testing.T) {
	for how, end := range map[string]func(dir string) error{
		"removed": os.Remove,
		"renamed": func(dir string) error { return os.Rename(dir, dir+".old") },
	} {
		t.Run(how, func(t *testing.T) {
			s := newServer(t, map[string]string{})
			p := s.prompt(t)
			dir := filepath.Join(t.TempDir(), "outgoing")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- p.line(t.Context(), "watch --settle 40ms "+dir+"/") }()
			save(t, filepath.Join(dir, "f"), "1")
			s.handlers.FileGet.(*library).has(t, "f", "1")
			os.Remove(filepath.Join(dir, "f"))
			if err := errors.Join(end(dir), os.Mkdir(dir, 0o700)); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), "was removed or renamed") {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Error("it goes on")
			}
		})
	}
}

// A writer may pause for longer than files take to settle.
func TestWatchWaitsForWriter(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	s := newServer(t, map[string]string{})
	l := s.handlers.FileGet.(*library)
	dir := t.TempDir()
	stop := s.prompt(t).watches(t, dir)
	f, err := os.Create(filepath.Join(dir, "slow"))
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("one half, ")
	for _, name := range []string{"a", "b", "c"} { // each comes after it, and takes a while to settle
		save(t, filepath.Join(dir, name), name)
		l.has(t, name, name)
	}
	l.mu.Lock()
	if got, ok := l.files["slow"]; ok {
		t.Errorf("%q was put", got)
	}
	l.mu.Unlock()
	f.WriteString("and the other")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	l.has(t, "slow", "one half, and the other")
	if err := stop(); err != nil {
		t.Error(err)
	}
}
