package sftp_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pkg/sftp"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/local"
	"shelf/vfs/vfstest"
)

// each runs a test of sessions on a library in memory and on one on disk.
func each(t *testing.T, p vfs.Permissions, run func(t *testing.T, mine, other *client)) {
	dir, err := local.Open(t.TempDir(), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for name, lib := range map[string]vfs.Library{"memory": vfstest.NewMemory(), "dir": dir} {
		t.Run(name, func(t *testing.T) {
			mine := dial(t, options{Options: access.Options{Library: lib, Permissions: p, Account: "ada"}})
			other := dial(t, options{Options: access.Options{Library: lib, Permissions: all(), Account: "bob"}})
			run(t, mine, other)
			mine.end()
			other.end()
		})
	}
}

// begin opens a file and writes to it.
func (c *client) begin(name, text string, flags int) *sftp.File {
	c.t.Helper()
	f, err := c.OpenFile(name, os.O_WRONLY|flags)
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// ok fails the test at the first error.
func (c *client) ok(errs ...error) {
	c.t.Helper()
	if err := errors.Join(errs...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) hasNot(name string) {
	c.t.Helper()
	if _, err := c.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		c.t.Fatalf("%s is there: %v", name, err)
	}
}

// sshfs sends the CLOSE after close(2) has returned: what a program does next
// to the file may overtake it. The session has to answer as if it had not.
func TestOvertakenClose(t *testing.T) {
	each(t, all(), func(t *testing.T, mine, other *client) {
		// Read it.
		first := mine.begin("f", "one", os.O_CREATE|os.O_EXCL)
		mine.has("f", "one")
		other.hasNot("f")

		// Add to it.
		second := mine.begin("f", " two", os.O_APPEND)
		mine.has("f", "one two")
		mine.ok(first.Close())
		other.has("f", "one")
		mine.ok(second.Close())
		other.has("f", "one two")

		// Write it anew, and see the CLOSE of the first come last.
		first = mine.begin("f", "three", os.O_TRUNC)
		second = mine.begin("f", "four", os.O_TRUNC)
		mine.ok(second.Close(), first.Close())
		other.has("f", "four")

		// But who goes on writing is who wrote last.
		first = mine.begin("f", "five", os.O_TRUNC)
		second = mine.begin("f", "six", os.O_TRUNC)
		mine.ok(second.Close(), second2(first.Write([]byte("!"))), first.Close())
		other.has("f", "five!")

		// Opened, and closed as it was: there is nothing to publish.
		first = mine.begin("f", "seven", os.O_TRUNC)
		second, err := mine.OpenFile("f", os.O_RDWR)
		mine.ok(err)
		mine.ok(second.Close())
		other.has("f", "five!")
		mine.ok(first.Close())
		other.has("f", "seven")

		// It exists.
		first = mine.begin("x", "x", os.O_CREATE)
		second = mine.begin("x", "again", os.O_TRUNC)
		mine.ok(second.Close())
		if _, err := mine.OpenFile("x", os.O_WRONLY|os.O_CREATE|os.O_EXCL); err == nil {
			t.Error("what is being uploaded was created again")
		}
		mine.ok(first.Close())
	})
}

func second2(_ int, err error) error { return err }

// Editors write a temporary file and rename it: an overtaken CLOSE, again.
func TestRenameBeforeClose(t *testing.T) {
	each(t, all(), func(t *testing.T, mine, other *client) {
		mine.put("f", "old")
		tmp := mine.begin("tmp", "new", os.O_CREATE|os.O_EXCL)
		if err := mine.Rename("tmp", "f"); err == nil {
			t.Fatal("RENAME replaced a file")
		}
		mine.ok(mine.PosixRename("tmp", "f"))
		mine.hasNot("tmp")
		mine.has("f", "new")
		other.has("f", "old")
		mine.ok(tmp.Close())
		other.has("f", "new")
		other.hasNot("tmp")

		// What is published under the old name goes along.
		f := mine.begin("f", "newer", os.O_TRUNC)
		mine.ok(mine.Rename("f", "g"))
		other.has("g", "new")
		other.hasNot("f")
		mine.ok(f.Close())
		other.has("g", "newer")
		other.hasNot("f")

		// The other way round: what is uploaded under the new name is replaced.
		g := mine.begin("g", "lost", os.O_TRUNC)
		mine.put("tmp", "kept")
		if err := mine.Rename("tmp", "g"); err == nil {
			t.Fatal("RENAME replaced an upload")
		}
		mine.ok(mine.PosixRename("tmp", "g"), g.Close())
		other.has("g", "kept")
		g = mine.begin("g", "lost", os.O_TRUNC)
		tmp = mine.begin("tmp", "kept, too", os.O_CREATE)
		mine.ok(mine.PosixRename("tmp", "g"), g.Close())
		other.has("g", "kept")
		mine.ok(tmp.Close())
		other.has("g", "kept, too")

		// To itself, and to a name that no file can have.
		g = mine.begin("g", "G", os.O_TRUNC)
		mine.ok(mine.PosixRename("g", "g"), mine.Rename("g", "g"))
		if mine.PosixRename("g", ".g") == nil || mine.PosixRename("g", "sub/g") == nil {
			t.Error("renamed to what cannot be")
		}
		mine.ok(g.Close())
		other.has("g", "G")
	})
}

func TestRemoveBeforeClose(t *testing.T) {
	each(t, all(), func(t *testing.T, mine, other *client) {
		f := mine.begin("f", "new", os.O_CREATE)
		again := mine.begin("f", "er", os.O_APPEND)
		mine.ok(mine.Remove("f"))
		mine.hasNot("f")
		mine.ok(f.Close(), again.Close())
		other.hasNot("f")

		mine.put("f", "old")
		f = mine.begin("f", "new", os.O_TRUNC)
		mine.ok(mine.Remove("f"))
		other.hasNot("f")
		mine.put("f", "next")
		mine.ok(f.Close())
		other.has("f", "next")
	})
}

// WinSCP uploads to x.filepart, rclone to x.partial; then they rename. An
// account that may only put files may name what it put, to what is not taken.
func TestDropBoxRenames(t *testing.T) {
	each(t, vfs.Permissions{Write: true}, func(t *testing.T, mine, other *client) {
		other.put("taken", "theirs")
		mine.put("x.filepart", "mine")
		mine.ok(mine.Rename("x.filepart", "x"), mine.PosixRename("x", "y"))
		other.has("y", "mine")
		open := mine.begin("z.partial", "open", os.O_CREATE|os.O_EXCL)
		mine.ok(mine.PosixRename("z.partial", "z"), open.Close())
		other.has("z", "open")
		for _, from := range []string{"y", "z"} {
			if mine.Rename(from, "taken") == nil || mine.PosixRename(from, "taken") == nil {
				t.Errorf("%s replaced a file", from)
			}
		}
		if err := mine.Rename("taken", "stolen"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("another's file: %v", err)
		}
		other.put("y", "theirs now")
		if err := mine.Rename("y", "stolen"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("what another has replaced: %v", err)
		}
		other.has("taken", "theirs")
		if _, err := mine.Open("z"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("read back: %v", err)
		}
	})
}

// Nothing of an upload under way lets an account read what it may not.
func TestDraftIsNotReadWithoutPermission(t *testing.T) {
	dir := t.TempDir()
	lib, err := local.Open(dir, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := dial(t, options{Options: access.Options{Library: lib, Permissions: vfs.Permissions{Write: true, Overwrite: true}}})
	f := c.begin("f", "S", 0) // on top of the secret
	if err := os.Remove(filepath.Join(dir, "f")); err != nil {
		t.Fatal(err)
	}
	for _, flags := range []int{os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREATE} {
		if _, err := c.OpenFile("f", flags); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("flags %#x: %v", flags, err)
		}
	}
	c.ok(f.Close())
	c.end()
}
