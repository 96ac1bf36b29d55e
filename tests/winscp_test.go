package tests

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"
)

// WinSCP does not run where these tests run. What follows are the requests that
// it sends, in their order, as its source has them (5.x and 6.x).

// TestWinSCPReplaces puts more than 100 KB in the place of a file, with the
// permissions an account has when nothing is said: without delete.
func TestWinSCPReplaces(t *testing.T) { winSCPReplaces(t, serve(t)) }

func winSCPReplaces(t *testing.T, s *server) {
	t.Helper()
	old, new := content(1, 300_000), content(2, 200_000)
	s.put(t, "file.bin", old)
	c, reader := s.dial(t), s.dial(t)
	open, err := reader.Open("file.bin")
	must(t, err)

	// Is it there? Is there something to resume?
	if i, err := c.Lstat("/file.bin"); err != nil || i.Size() != 300_000 {
		t.Fatal(i, err)
	}
	if _, err := c.Lstat("/file.bin.filepart"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	f, err := c.OpenFile("/file.bin.filepart", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	must(t, err)
	_, err = f.Write(new)
	must(t, err, f.Close(), c.Remove("/file.bin"))
	if string(s.get(t, "file.bin")) != string(old) {
		t.Error("between REMOVE and RENAME the old file is not there")
	}
	when := time.Unix(1_000_000_000, 0)
	must(t, c.Rename("/file.bin.filepart", "/file.bin"), c.Chmod("/file.bin", 0o640), c.Chtimes("/file.bin", when, when))

	if string(s.get(t, "file.bin")) != string(new) {
		t.Error("the new file is not there")
	}
	if i, err := c.Lstat("/file.bin"); err != nil || !i.ModTime().Equal(when) || i.Mode() != 0o640 {
		t.Error(i, err)
	}
	if _, err := c.Lstat("/file.bin.filepart"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("file.bin.filepart: %v", err)
	}
	if got := make([]byte, 300_000); second(open.ReadAt(got, 0)) != nil || string(got) != string(old) {
		t.Error("who was reading the old file lost it")
	}

	// Nothing else is removed that way.
	s.put(t, "other", old)
	s.put(t, "other.filepart", old)
	if err := c.Remove("/other"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("with a .filepart of somebody else: %v", err)
	}
	if err := c.Remove("/file.bin"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("once more, without a .filepart: %v", err)
	}
	if err := c.Rename("/other.filepart", "/other"); err == nil {
		t.Error("RENAME replaced what no REMOVE announced")
	}
}

// TestWinSCPResumes cuts an upload off. WinSCP finds the beginning, and goes on
// or throws it away, as its user likes.
func TestWinSCPResumes(t *testing.T) {
	for _, resume := range []bool{true, false} {
		winSCPResumes(t, serve(t), resume)
	}
}

func winSCPResumes(t *testing.T, s *server, resume bool) {
	t.Helper()
	const arrived = 2 << 20
	whole := content(1, 3<<20)
	c := s.dial(t)
	f, err := c.OpenFile("/x.filepart", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	must(t, err)
	_, err = f.Write(whole[:arrived])
	must(t, err)
	c.cut(true)

	c = s.dial(t)
	eventually(t, "the beginning is found", func() bool { i, err := c.Lstat("/x.filepart"); return err == nil && i.Size() == arrived })
	off, flags := int64(arrived), os.O_WRONLY|os.O_CREATE
	if !resume {
		must(t, c.Remove("/x.filepart"))
		if _, err := c.Lstat("/x.filepart"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a beginning that was removed: %v", err)
		}
		off, flags = 0, flags|os.O_TRUNC
	}
	f, err = c.OpenFile("/x.filepart", flags)
	must(t, err)
	_, err = f.WriteAt(whole[off:], off)
	must(t, err, f.Close(), c.Rename("/x.filepart", "/x"))
	if string(s.get(t, "x")) != string(whole) {
		t.Error("the file is not whole")
	}
}

// TestWinSCPOverwritesSmall asks before it replaces a small file: an exclusive
// OPEN tells it that there is one.
func TestWinSCPOverwritesSmall(t *testing.T) { winSCPOverwritesSmall(t, serve(t)) }

func winSCPOverwritesSmall(t *testing.T, s *server) {
	t.Helper()
	s.put(t, "small", []byte("old"))
	c := s.dial(t)
	if _, err := c.OpenFile("/small", os.O_WRONLY|os.O_CREATE|os.O_EXCL); err == nil {
		t.Fatal("an exclusive OPEN of a file that is there")
	}
	if i, err := c.Lstat("/small"); err != nil || i.Size() != 3 {
		t.Fatal(i, err)
	}
	f, err := c.OpenFile("/small", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	must(t, err)
	_, err = f.Write([]byte("newer"))
	must(t, err, f.Close())
	if string(s.get(t, "small")) != "newer" {
		t.Error("it was not replaced")
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }
