package tests

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"shelf/tests/objectstore"
)

// A library whose quota was used up could not be made smaller by truncate: the
// whole old file was charged again. Who may not delete could free no room.
const usedUp = `quota = "1MB"`

// fill writes two files that use up the quota, but for a little.
func (s *server) fill(t *testing.T) {
	t.Helper()
	s.upload(t, "large", content(1, 900_000))
	s.upload(t, "small", content(2, 90_000))
}

// upload puts a file from the client's side, in a session of its own.
func (s *server) upload(t *testing.T, name string, text []byte) {
	t.Helper()
	c := s.dial(t)
	must(t, c.begun(t, name, string(text), os.O_CREATE|os.O_TRUNC).Close(), c.close())
}

// isSmaller checks that "large" has shrunk, and that what it took is free again.
func (s *server) isSmaller(t *testing.T, size int64) {
	t.Helper()
	if got := s.get(t, "large"); string(got) != string(content(1, size)) {
		t.Errorf("the file that was made smaller has %d bytes, or others", len(got))
	}
	s.upload(t, "more", content(3, 700_000))
	c := s.dial(t)
	f, err := c.OpenFile("too much", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	must(t, err)
	if _, err := f.Write(content(4, 150_000)); errors.Join(err, f.Close()) == nil {
		t.Error("more than the quota was accepted")
	}
}

func TestQuotaMadeSmaller(t *testing.T) {
	t.Run("paramiko by name", func(t *testing.T) {
		t.Parallel()
		s := serveWith(t, usedUp)
		s.fill(t)
		if out, err := s.snippet(t, paramiko, nil, paramikoSession+`
s.truncate("large", 100_000)`); err != nil {
			t.Error(err, out)
		}
		s.isSmaller(t, 100_000)
	})
	t.Run("paramiko by handle", func(t *testing.T) {
		t.Parallel()
		s := serveWith(t, usedUp)
		s.fill(t)
		if out, err := s.snippet(t, paramiko, nil, paramikoSession+`
with s.open("large", "r+") as f:
    f.truncate(100_000)`); err != nil {
			t.Error(err, out)
		}
		s.isSmaller(t, 100_000)
	})
	t.Run("sshfs", func(t *testing.T) {
		t.Parallel()
		s := serveWith(t, usedUp)
		s.fill(t)
		m := s.mount(t)
		must(t, os.Truncate(m.in("large"), 100_000))
		eventually(t, "the file is smaller", func() bool {
			i, err := os.Stat(filepath.Join(s.library, "large"))
			return err == nil && i.Size() == 100_000
		})
		s.isSmaller(t, 100_000)
	})
	t.Run("in a bucket", func(t *testing.T) {
		t.Parallel()
		oneServer(t, "a quota that is smaller than the slices of two nodes")
		need(t, objectstore.Program)
		dir := t.TempDir()
		store, err := objectstore.Start(dir, "")
		must(t, err)
		t.Cleanup(store.Stop)
		s, err := newServer(dir)
		must(t, err)
		must(t, s.configureBucket(store.URL))
		settings, err := os.OpenFile(filepath.Join(dir, "shelfd.toml"), os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = settings.WriteString(usedUp + "\n")
		must(t, err, settings.Close(), s.start([]string{"--config", filepath.Join(dir, "shelfd.toml")}))
		stopAtEnd(t, s)
		s.fill(t)
		c := s.dial(t)
		if i, err := c.StatVFS("/"); err != nil || i.TotalSpace() < 1_000_000 || i.TotalSpace() > 1_100_000 || i.FreeSpace() > 20_000 {
			t.Errorf("df tells %+v, %v", i, err)
		}
		must(t, c.Truncate("large", 100_000))
		s.isSmaller(t, 100_000)
	})
	t.Run("larger is still refused", func(t *testing.T) {
		s := serveWith(t, usedUp)
		s.fill(t)
		if err := s.dial(t).Truncate("small", 200_000); err == nil {
			t.Error("a file was made larger than there is room for")
		}
		if got := s.get(t, "small"); len(got) != 90_000 {
			t.Errorf("small has %d bytes", len(got))
		}
	})
}
