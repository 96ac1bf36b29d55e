package vfstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"shelf/vfs"
)

// testReplaced has many publish under one name: each is told which file it has
// replaced, so that they make a chain.
func testReplaced(t *testing.T, s suite) {
	const writers, each = 4, 8
	var mu sync.Mutex
	replaced := make(map[vfs.Version]bool)
	note := func(c vfs.Change, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil || replaced[c.Replaced.Version] {
			t.Errorf("%+v is replaced twice (%v)", c.Replaced, err)
		}
		replaced[c.Replaced.Version] = true
	}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range each {
				name := "f"
				if n%4 == 3 {
					name = fmt.Sprint("other", w, n)
				}
				u, err := s.Create(t.Context(), name, vfs.CreateOptions{Create: true, Truncate: true})
				if err == nil {
					_, err = u.WriteAt(make([]byte, 1+n*writers+w), 0)
				}
				if err != nil {
					t.Error(err)
					return
				}
				c, err := u.Commit(t.Context())
				switch {
				case name == "f":
					note(c, err)
				case err != nil || c.Replaced != vfs.Info{}:
					t.Errorf("a new file has replaced %+v (%v)", c.Replaced, err)
				default:
					note(s.Rename(t.Context(), name, "f", true))
				}
			}
		})
	}
	group.Wait()
	if len(replaced) != writers*each || !replaced[vfs.Version{}] || replaced[s.look("f").Version] {
		t.Errorf("%d of %d versions were replaced: %v", len(replaced), writers*each, replaced)
	}
}

// testCancelled: when a ctx has ended a call does what it is to do or fails with
// that, and what was opened with it can be closed.
func testCancelled(t *testing.T, s suite) {
	s.put("f", "text")
	ctx, cancel := context.WithCancel(t.Context())
	f, err := s.Open(ctx, "f")
	s.ok(err)
	u, err := s.Create(ctx, "new", vfs.CreateOptions{Create: true})
	s.ok(err)
	s.write(u, 0, "text")
	cancel()
	late := make([]byte, 4)
	for what, err := range map[string]error{
		"Stat":            failure(s.Stat(ctx, "f")),
		"Open of none":    failure(s.Open(ctx, "none")),
		"Rename":          failure(s.Rename(ctx, "f", "f", true)),
		"SetAttr":         failure(s.SetAttr(ctx, "f", vfs.Attr{HasMode: true, Mode: 0o600})),
		"Remove of none":  s.Remove(ctx, "none"),
		"ReadAt":          failure(f.ReadAt(late, 0)),
		"Upload.WriteAt":  failure(u.WriteAt([]byte("late"), 0)),
		"Upload.ReadAt":   failure(u.ReadAt(late, 0)),
		"Create of a dot": failure(s.Create(ctx, ".x", vfs.CreateOptions{Create: true})),
	} {
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrName) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.ok(f.Close())
	if _, err := u.Commit(ctx); err == nil {
		s.has("new", "late") // it was published, whole
	} else {
		s.is(err, context.Canceled)
		s.hasNot("new")
	}
	u, err = s.Create(t.Context(), "other", vfs.CreateOptions{Create: true})
	s.ok(err)
	s.ok(u.Abort())
	s.hasNot("other")
	s.has("f", "text")
}

// testRaces: whatever happens at once, a file is one version, whole.
func testRaces(t *testing.T, s suite) {
	const writers, rounds = 4, 20
	version := func(w int) string { return strings.Repeat(string(rune('a'+w)), 1000+w) }
	s.put("f", version(0))
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for range rounds {
				u, err := s.Create(t.Context(), "f", vfs.CreateOptions{Create: true, Truncate: true})
				if err == nil {
					_, err = u.WriteAt([]byte(version(w)), 0)
				}
				if err == nil {
					_, err = u.Commit(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	reading.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			f, err := s.Open(t.Context(), "f")
			if err != nil {
				t.Error(err)
				return
			}
			b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
			f.Close()
			if err != nil || len(b) == 0 || len(b) != 1000+int(b[0]-'a') || bytes.Count(b, b[:1]) != len(b) {
				t.Errorf("torn: %d bytes, %v", len(b), err)
				return
			}
		}
	})
	writing.Wait()
	close(done)
	reading.Wait()
}
