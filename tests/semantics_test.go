package tests

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkg/sftp"
)

// begun opens a file and writes text to it.
func (c *client) begun(t *testing.T, name, text string, flags int) *sftp.File {
	t.Helper()
	f, err := c.OpenFile(name, os.O_WRONLY|flags)
	must(t, err)
	_, err = f.Write([]byte(text))
	must(t, err)
	return f
}

// looks checks size and time of what STAT answers.
func (c *client) looks(t *testing.T, name string, size int64, mtime time.Time) {
	t.Helper()
	i, err := c.Stat(name)
	if err != nil || i.Size() != size || !mtime.IsZero() && !i.ModTime().Equal(mtime) {
		t.Errorf("STAT %s: %v, %v; want %d bytes of %v", name, i, err, size, mtime)
	}
}

// TestStatAroundClose: an upload tells its size while it lasts, to its session
// by name and by handle, and right after CLOSE to everybody.
func TestStatAroundClose(t *testing.T) {
	s := serve(t)
	c, other := s.dial(t), s.dial(t)
	for name, text := range map[string]string{"some": "12345", "empty": ""} {
		f := c.begun(t, name, text, os.O_CREATE|os.O_TRUNC)
		c.looks(t, name, int64(len(text)), time.Time{})
		if i, err := f.Stat(); err != nil || i.Size() != int64(len(text)) {
			t.Errorf("FSTAT %s: %v, %v", name, i, err)
		}
		if _, err := other.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("another session has %s before CLOSE: %v", name, err)
		}
		must(t, f.Close())
		c.looks(t, name, int64(len(text)), time.Time{})
		other.looks(t, name, int64(len(text)), time.Time{})
	}
}

// TestTimesAroundClose: clients set the time by name before CLOSE or after. Each
// holds, in the past and in the future. (By handle: testdata/with_paramiko.py.)
func TestTimesAroundClose(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	for _, when := range []time.Time{time.Unix(1, 0), time.Unix(1_000_000_000, 0), time.Unix(4_000_000_000, 0)} {
		before, after := c.begun(t, "before", "text", os.O_CREATE|os.O_TRUNC), c.begun(t, "after", "text", os.O_CREATE|os.O_TRUNC)
		must(t, c.Chtimes("before", when, when))
		c.looks(t, "before", 4, when)
		must(t, before.Close(), after.Close(), c.Chtimes("after", when, when))
		for _, name := range []string{"before", "after"} {
			c.looks(t, name, 4, when)
			if i, err := os.Stat(filepath.Join(s.library, name)); err != nil || !i.ModTime().Equal(when) {
				t.Errorf("%s on disk: %v, %v", name, i, err)
			}
		}
	}
}

// TestReplaceWithDelete: where delete is granted, REMOVE then RENAME is how
// clients that do not know posix-rename replace a file.
func TestReplaceWithDelete(t *testing.T) {
	s := serveConfigured(t, `
		[libraries.default]
		path = "library"
		[accounts.ada]
		authorized_keys_file = "id.pub"
		permissions = ["admin"]`)
	c := s.dial(t)
	s.put(t, "file", []byte("old"))
	s.put(t, "other", []byte("other"))
	for _, temporary := range []string{"file.filepart", "file.partial", "file.tmp~"} {
		must(t, c.begun(t, temporary, temporary, os.O_CREATE|os.O_EXCL).Close())
		if err := c.Rename(temporary, "file"); err == nil {
			t.Fatalf("RENAME of %s replaced a file", temporary)
		}
		must(t, c.Remove("file"))
		if _, err := c.Stat("file"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after REMOVE: %v", err)
		}
		must(t, c.Rename(temporary, "file"))
		if got := string(s.get(t, "file")); got != temporary {
			t.Errorf("file holds %q, want %q", got, temporary)
		}
	}
	must(t, c.PosixRename("other", "file"))
	if got := string(s.get(t, "file")); got != "other" {
		t.Errorf("after posix-rename file holds %q", got)
	}
}
