package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What is put is a regular file when it is opened, and what came from a folder
// no link by then; nothing waits for the other end of a FIFO.
func TestOpenLocal(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	save(t, at("file"), "x")
	if err := os.Symlink(at("file"), at("link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(at("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		flags int
		ok    bool
	}{
		{"file", 0, true}, {"link", 0, true}, {"fifo", 0, false}, {"", 0, false},
		{"file", openNoLink, true}, {"link", openNoLink, false}, {"fifo", openNoLink, false},
	} {
		f, info, err := openLocal(at(row.name), row.flags)
		if (err == nil) != row.ok || row.ok && info.Size() != 1 {
			t.Errorf("%q with flags %#x: %v", row.name, row.flags, err)
		}
		if f != nil {
			f.Close()
		}
	}
}

// Of a folder's files a pattern takes what a shell would, and of those that
// would get one name the first.
func TestPutNames(t *testing.T) {
	files := map[string]string{}
	s := newServer(t, files)
	dir := t.TempDir()
	for _, name := range []string{"a", ".env", "x/same", "y/same"} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700)
		save(t, filepath.Join(dir, name), name)
	}
	t.Chdir(dir)
	status, _, errs := s.run(t, "put a a *a*\nput .e*\nput x/same y/same\n", s.addr)
	want(t, status, exitSome, errs, "y/same: it would replace x/same")
	if len(files) != 3 || files["same"] != "x/same" {
		t.Errorf("published: %v", files)
	}
	clear(files)
	s.run(t, "put *", s.addr)
	if _, hidden := files[".env"]; hidden || files["a"] != "a" {
		t.Errorf("put * publishes %v", files)
	}
}
