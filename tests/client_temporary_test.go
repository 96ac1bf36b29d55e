package tests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Clients upload to a temporary name and then rename. What follows are requests
// of those that do not run where these tests do, recorded from them, and what has
// to hold for the temporary names of all. GNOME's run in client_gnome_test.go.

// TestKDEReplaces: Dolphin and kioclient5 (kio-extras 22.12) could not replace a
// file without the permission to delete, and left file.part behind.
func TestKDEReplaces(t *testing.T) {
	for _, permissions := range mayReplace {
		t.Run(permissions, func(t *testing.T) {
			s := servePermitting(t, permissions)
			s.put(t, "file", []byte("old"))
			c, other := s.dial(t), s.dial(t)
			_, err := c.Stat("/file")
			must(t, err)
			if _, err := c.Stat("/file.part"); !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			must(t, c.begun(t, "/file.part", "the new one", os.O_CREATE|os.O_TRUNC).Close(), c.Remove("/file"))
			if permissions == "editor" { // REMOVE cannot have been meant as such
				other.looks(t, "/file", 3, time.Time{})
			}
			when := time.Unix(1_000_000_000, 0)
			must(t, c.Rename("/file.part", "/file"), c.Chmod("/file", 0o640), c.Chtimes("/file", when, when))
			if got := string(s.get(t, "file")); got != "the new one" {
				t.Errorf("file holds %q", got)
			}
			s.holdsNothingElse(t, "file")
		})
	}
}

// TestTemporaryNames: a temporary file is its session's alone until RENAME
// publishes it. REMOVE of the file that it replaces loses nothing, also when
// no RENAME follows.
func TestTemporaryNames(t *testing.T) {
	for client, temporary := range map[string]string{
		"GNOME":  "/.giosaveWuyLSk",
		"KDE":    "/file.part",
		"WinSCP": "/file.filepart",
	} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.put(t, "file", []byte("old"))
			c, other := s.dial(t), s.dial(t)

			must(t, c.begun(t, temporary, "given up", os.O_CREATE|os.O_EXCL).Close())
			c.looks(t, temporary, 8, time.Time{})
			if _, err := other.Stat(temporary); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("another session sees it: %v", err)
			}
			s.holdsNothingVisible(t, "file")
			must(t, c.Remove("/file"))
			other.looks(t, "/file", 3, time.Time{})
			must(t, c.Remove(temporary))
			if _, err := c.Stat(temporary); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it was removed: %v", err)
			}

			must(t, c.begun(t, temporary, "the new one", os.O_CREATE|os.O_EXCL).Close(), c.Remove("/file"), c.Rename(temporary, "/file"))
			if got := string(s.get(t, "file")); got != "the new one" {
				t.Errorf("file holds %q", got)
			}
			if err := c.Remove("/file"); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("REMOVE with nothing to replace it: %v", err)
			}
			must(t, c.close())
			s.holdsNothingElse(t, "file")
		})
	}
}

// TestRclonePool: rclone from 1.63 uploads to file.1a2b3c4d.partial, and looks at
// that and renames it over whichever connection of its pool is the next: so it is
// published by CLOSE.
func TestRclonePool(t *testing.T) {
	s := serve(t)
	s.put(t, "file", []byte("old"))
	const partial = "/file.1a2b3c4d.partial"
	must(t, s.dial(t).begun(t, partial, "the new one", os.O_CREATE|os.O_TRUNC).Close())
	when := time.Unix(1_000_000_000, 0)
	must(t, s.dial(t).Chtimes(partial, when, when))
	s.dial(t).looks(t, partial, 11, when)
	must(t, s.dial(t).PosixRename(partial, "/file"))
	if got := string(s.get(t, "file")); got != "the new one" {
		t.Errorf("file holds %q", got)
	}
	s.holdsNothingElse(t, "file")
}

// TestTemporaryNameKept: somebody uploads a file that only looks temporary, and
// CLOSE said that it is there. It is, at the latest when the session has ended.
func TestTemporaryNameKept(t *testing.T) {
	s := serve(t)
	for _, name := range []string{"film.part", "film.filepart", "film.1a2b3c4d.partial"} {
		c := s.dial(t)
		must(t, c.begun(t, name, name, os.O_CREATE|os.O_TRUNC).Close(), c.close())
		eventually(t, name+" is in the library", func() bool {
			got, err := os.ReadFile(filepath.Join(s.library, name))
			return err == nil && string(got) == name
		})
	}
}

// TestHiddenNamesLeaveNothing: a client that makes a hidden temporary file and
// goes, with a word or without, leaves nothing.
func TestHiddenNamesLeaveNothing(t *testing.T) {
	s := serve(t)
	for i, name := range []string{"/.giosaveWuyLSk", "/.giosaveD8ytB4", "/.#file", "/.#file"} {
		c := s.dial(t)
		must(t, c.begun(t, name, "some text", os.O_CREATE|os.O_EXCL).Close())
		if i%2 == 0 {
			must(t, c.close())
		} else {
			c.cut(true)
		}
		s.holdsNothingElse(t)
	}
}

// TestEmacsLocks: Emacs writes who edits a file to .#file beside it, reads that
// back before each change, and removes it. It could not save over sshfs without
// being asked whether to go on without a lock.
func TestEmacsLocks(t *testing.T) {
	s := serve(t)
	s.put(t, "file", []byte("old"))
	c, other := s.dial(t), s.dial(t)
	for i := range 2 { // it locks again for the next change
		must(t, c.begun(t, "/.#file", "ada@host.4711:1764115200", os.O_CREATE|os.O_EXCL).Close())
		if got, err := c.download("/.#file"); err != nil || string(got) != "ada@host.4711:1764115200" {
			t.Errorf("the lock holds %q: %v", got, err)
		}
		if _, err := other.Stat("/.#file"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("another session sees it: %v", err)
		}
		s.holdsNothingVisible(t, "file")
		text := fmt.Sprintln("version", i)
		must(t, c.begun(t, "/file", text, os.O_CREATE|os.O_TRUNC).Close(), c.Remove("/.#file"))
		if got := string(s.get(t, "file")); got != text {
			t.Errorf("file holds %q", got)
		}
	}
	if err := c.Remove("/file"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("REMOVE of the file itself: %v", err)
	}
	if err := c.Rename("/file", "/.#file"); err == nil {
		t.Error("a file of the library was hidden under such a name")
	}
	s.holdsNothingElse(t, "file")
}

// holdsNothingVisible is holdsNothingElse while uploads are under way.
func (s *server) holdsNothingVisible(t *testing.T, names ...string) {
	t.Helper()
	known := map[string]bool{".shelf": true}
	for _, name := range names {
		known[name] = true
	}
	entries, err := os.ReadDir(s.library)
	must(t, err)
	for _, e := range entries {
		if !known[e.Name()] {
			t.Errorf("the library holds %s", e.Name())
		}
	}
}
