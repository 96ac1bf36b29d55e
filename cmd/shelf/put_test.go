package main

import (
	"os"
	"path/filepath"
	"testing"
)

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
