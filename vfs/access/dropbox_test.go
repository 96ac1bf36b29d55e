package access_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// Another session of a drop-box account opens the partial of the first for reading
// and writing, and reads it. It may go on with it, and read what it wrote itself
// under a new name.
func TestDropBoxReadsNoPartial(t *testing.T) {
	lib := vfstest.NewMemory()
	keepPartial(t, lib, "f")
	s := access.New(context.Background(), access.Options{Library: lib, Account: "ada", Permissions: vfs.Permissions{Write: true}})
	both := access.Flags{Read: true, Create: true}
	if _, err := s.Create("f", both); !errors.Is(err, fs.ErrPermission) {
		t.Error("the partial can be read:", err)
	}
	if i, err := s.Stat("f"); err != nil || i.Size != 64<<10 {
		t.Errorf("the partial is %d bytes, %v", i.Size, err)
	}
	w, err := s.Create("f", access.Flags{})
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		t.Error("it can't be gone on with:", err)
	}
	w, err = s.Create("new", both)
	if err == nil {
		_, err = w.WriteAt([]byte("mine"), 0)
	}
	b := make([]byte, 4)
	if err == nil {
		_, err = w.ReadAt(b, 0)
	}
	if err != nil || string(b) != "mine" {
		t.Errorf("of its own it reads %q, %v", b, err)
	}
}

// What a drop-box account is answered does not depend on whether there is a file.
func TestDropBoxLearnsNoNames(t *testing.T) {
	s, _, _ := open(t, vfs.Permissions{Write: true})
	for what, do := range map[string]func(name string) error{
		"SETSTAT":                func(name string) error { return s.SetAttr(name, vfs.Attr{HasMode: true, Mode: 0o600}) },
		"SETSTAT of a size":      func(name string) error { return s.SetAttr(name, vfs.Attr{HasSize: true}) },
		"STAT":                   func(name string) error { return second(s.Stat(name)) },
		"OPEN to read":           func(name string) error { return second(s.Open(name)) },
		"OPEN to write":          func(name string) error { return second(s.Create(name, access.Flags{})) },
		"OPEN to write anew":     func(name string) error { return second(s.Create(name, access.Flags{Truncate: true})) },
		"OPEN to read and write": func(name string) error { return second(s.Create(name, access.Flags{Read: true})) },
		"REMOVE":                 func(name string) error { return s.Remove(name) },
		"RENAME":                 func(name string) error { return s.Rename(name, "other", false) },
	} {
		there, absent := do("a.txt"), do("absent")
		if there == nil || absent == nil || there.Error() != absent.Error() {
			t.Errorf("%s: %v where there is a file, and %v where there is none", what, there, absent)
		}
	}
}

// A handle that was opened before a file came does not become a way to read it.
func TestSetAttrShowsNothing(t *testing.T) {
	s, lib, _ := open(t, vfs.Permissions{Write: true, Overwrite: true})
	w, err := s.Create("f", access.Flags{Read: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	vfstest.Put(t, lib, "f", "secret")
	if err := s.SetAttr("f", vfs.Attr{HasMode: true, Mode: 0o640}); err != nil {
		t.Fatal(err)
	}
	if n, _ := w.ReadAt(make([]byte, 6), 0); n > 0 {
		t.Error("it reads another account's file")
	}
}
