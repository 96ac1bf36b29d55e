package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pkg/sftp"
)

// dropBox lists nothing.
type dropBox struct{ *library }

func (d dropBox) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method == "List" {
		return nil, sftp.ErrSSHFxPermissionDenied
	}
	return d.library.Filelist(r)
}

// Who may only put files can sync a folder: all of it is put.
func TestSyncToDropBox(t *testing.T) {
	files := map[string]string{}
	s := newServer(t, files)
	s.handlers.FileList = dropBox{s.handlers.FileGet.(*library)}
	dir := t.TempDir()
	save(t, filepath.Join(dir, "a"), "one")
	save(t, filepath.Join(dir, "b"), "two")
	status, out, errs := s.run(t, "", s.addr, "sync", dir)
	want(t, status, 0, errs, "all files are put", "permission denied")
	want(t, 0, 0, out, "put a: 3 B", "put b: 3 B")
	if files["a"] != "one" || files["b"] != "two" {
		t.Errorf("there is %v", files)
	}
}

// What looks like a file in the folder, and is left out, is named; so is a
// folder that is not there.
func TestSyncLeavesOut(t *testing.T) {
	files := map[string]string{}
	s := newServer(t, files)
	dir := t.TempDir()
	save(t, filepath.Join(dir, "a"), "one")
	save(t, filepath.Join(dir, ".hidden"), "two")
	for link, to := range map[string]string{"link": "a", "dangling": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	status, _, errs := s.run(t, "", s.addr, "sync", dir)
	want(t, status, 0, errs, "Left out of "+dir+", because they are links or not files: dangling, link\n")
	if len(files) != 1 {
		t.Errorf("there is %v", files)
	}
	status, _, errs = s.run(t, "", s.addr, "sync", dir+"/nosuch")
	want(t, status, exitSome, errs, dir+"/nosuch: no such file or directory")
}
