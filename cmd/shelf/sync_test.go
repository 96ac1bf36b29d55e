package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	save(t, filepath.Join(dir, ".shelf-1-2.part"), "ours") // nobody expects that there
	status, _, errs := s.run(t, "", s.addr, "sync", dir)
	want(t, status, 0, errs, "Left out of "+dir+", because they are links or not files: dangling, link\n",
		"Left out of "+dir+", because they are hidden (their names start with a dot): .hidden\n")
	if len(files) != 1 {
		t.Errorf("there is %v", files)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{nil, {"-n"}} {
		status, _, errs = s.run(t, "", append([]string{s.addr, "sync", dir}, more...)...)
		want(t, status, exitSome, errs, "because they are folders: sub\n", "sync: 1 folder was left out; with --top-only")
	}
	status, out, errs := s.run(t, "", s.addr, "sync", "--json", "--top-only", dir)
	want(t, status, 0, errs)
	want(t, 0, 0, out, `{"event":"left out","name":".hidden","why":"hidden"}`, `{"event":"left out","name":"link","why":"special"}`)
	if strings.Contains(errs+out, "sub") {
		t.Errorf("it tells of a folder:\n%s%s", errs, out)
	}
	status, _, errs = s.run(t, "", s.addr, "sync", dir+"/nosuch")
	want(t, status, exitSome, errs, dir+"/nosuch: no such file or directory")
}

// Down takes what is new or changed, replaces that here, and leaves the rest alone.
func TestSyncDown(t *testing.T) {
	s := newServer(t, map[string]string{"new": "n", "changed": "after", "same": "s", ".hidden": "h"})
	dir := t.TempDir()
	save(t, filepath.Join(dir, "changed"), "before it")
	save(t, filepath.Join(dir, "same"), "s")
	save(t, filepath.Join(dir, "own"), "o")
	if err := os.Chtimes(filepath.Join(dir, "same"), time.Time{}, modTime); err != nil {
		t.Fatal(err)
	}
	status, out, errs := s.run(t, "", s.addr, "sync", "--down", "-n", dir)
	want(t, status, 0, errs, "Left out of /, because they are hidden (their names start with a dot): .hidden\n")
	want(t, 0, 0, out, "would get new\n", "would get changed\n", "2 files to get\n")
	status, out, errs = s.run(t, "", s.addr, "sync", "--down", dir)
	want(t, status, 0, errs)
	want(t, 0, 0, out, "got 2 files: ")
	for name, text := range map[string]string{"new": "n", "changed": "after", "same": "s", "own": "o"} {
		if got, _ := os.ReadFile(filepath.Join(dir, name)); string(got) != text {
			t.Errorf("%s: %q", name, got)
		}
	}
	if all, _ := os.ReadDir(dir); len(all) != 4 {
		t.Errorf("here is %v", all)
	}
	status, out, errs = s.run(t, "", s.addr, "sync", "--down", dir)
	want(t, status, 0, errs)
	want(t, 0, 0, out, "all files are there already")
}
