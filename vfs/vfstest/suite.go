package vfstest

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"

	"shelf/vfs"
)

// suite is a Library under test.
type suite struct {
	t *testing.T
	vfs.Library
}

func (s suite) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s suite) is(err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Fatalf("error %v, want %v", err, want)
	}
}

func (s suite) create(name string, o vfs.CreateOptions) vfs.Upload {
	s.t.Helper()
	u, err := s.Create(s.t.Context(), name, o)
	s.ok(err)
	return u
}

func (s suite) write(u vfs.Upload, off int64, text string) {
	s.t.Helper()
	n, err := u.WriteAt([]byte(text), off)
	s.ok(err)
	if n != len(text) {
		s.t.Fatalf("wrote %d bytes of %d", n, len(text))
	}
}

// commit publishes an upload and returns what that says of it.
func (s suite) commit(u vfs.Upload) vfs.Change {
	s.t.Helper()
	c, err := u.Commit(s.t.Context())
	s.ok(err)
	return c
}

// set sets attributes of a file and checks what that says of it.
func (s suite) set(name string, a vfs.Attr) {
	s.t.Helper()
	before := s.look(name)
	c, err := s.SetAttr(s.t.Context(), name, a)
	s.ok(err)
	if now := s.look(name); c.Before != before || c.After != now {
		s.t.Fatalf("SetAttr says %+v; there was %+v, and is %+v", c, before, now)
	}
}

// rename renames a file and checks what that says of it.
func (s suite) rename(old, new string, replace bool) {
	s.t.Helper()
	before := s.look(old)
	c, err := s.Rename(s.t.Context(), old, new, replace)
	s.ok(err)
	if now := s.look(new); c.Before != before || c.After != now {
		s.t.Fatalf("Rename says %+v; there was %+v, and is %+v", c, before, now)
	}
}

func (s suite) look(name string) vfs.Info {
	s.t.Helper()
	i, err := s.Stat(s.t.Context(), name)
	s.ok(err)
	return i
}

// put publishes a file.
func (s suite) put(name, text string) {
	s.t.Helper()
	u := s.create(name, vfs.CreateOptions{Create: true, Truncate: true})
	s.write(u, 0, text)
	s.commit(u)
}

// has checks what is published.
func (s suite) has(name, want string) {
	s.t.Helper()
	f, err := s.Open(s.t.Context(), name)
	s.ok(err)
	defer f.Close()
	if got := readAll(s.t, f); got != want {
		s.t.Fatalf("%s holds %q, want %q", name, got, want)
	}
	i, err := s.Stat(s.t.Context(), name)
	s.ok(err)
	if i.Size != int64(len(want)) || i.Name != name || !i.Mode.IsRegular() {
		s.t.Fatalf("%s is %s, %d bytes, %v", name, i.Name, i.Size, i.Mode)
	}
}

func (s suite) hasNot(name string) {
	s.t.Helper()
	_, err := s.Stat(s.t.Context(), name)
	s.is(err, fs.ErrNotExist)
	_, err = s.Open(s.t.Context(), name)
	s.is(err, fs.ErrNotExist)
}

func (s suite) names() (names []string) {
	s.t.Helper()
	for i, err := range s.List(s.t.Context()) {
		s.ok(err)
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return names
}

func failure[T any](_ T, err error) error { return err }

func readAll(t *testing.T, r io.ReaderAt) string {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
