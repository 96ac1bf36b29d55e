package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"shelf/vfs/vfstest"
)

// openTwoSteps is a library on a file system without RENAME_NOREPLACE.
func openTwoSteps(t *testing.T) (*Dir, string) {
	t.Helper()
	path := t.TempDir()
	return anotherTwoSteps(t, path), path
}

// anotherTwoSteps is one more instance of it.
func anotherTwoSteps(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path, Options{Durability: NoFsync})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	d.twoSteps = true
	return d
}

// Without RENAME_NOREPLACE a rename is link and unlink. A posix-rename the other
// way between the two did nothing and was answered OK, and then the name that
// it had made was unlinked.
func TestTwoStepRenameAgainstRenameBack(t *testing.T) {
	d, path := openTwoSteps(t)
	others := []*Dir{d, anotherTwoSteps(t, path)} // this instance, and another
	for i := range 2000 {
		other := others[i%2]
		vfstest.Put(t, d, "c", fmt.Sprint(i))
		var both sync.WaitGroup
		var back error
		both.Go(func() { d.Rename(t.Context(), "c", "a", false) })
		both.Go(func() { _, back = other.Rename(t.Context(), "a", "c", true) })
		both.Wait()
		there := "a"
		if back == nil {
			there = "c"
		}
		if text, err := os.ReadFile(filepath.Join(path, there)); err != nil || string(text) != fmt.Sprint(i) {
			t.Fatalf("after the rename back was answered with %v, %s: %q, %v", back, there, text, err)
		}
		if back == nil {
			if err := d.Remove(t.Context(), "c"); err != nil {
				t.Fatal(err)
			}
		} else if err := d.Remove(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that is published under the old name between link and unlink was
// unlinked: an acknowledged upload was lost.
func TestTwoStepRenameAgainstPublish(t *testing.T) {
	d, path := openTwoSteps(t)
	others := []*Dir{d, anotherTwoSteps(t, path)} // this instance, and another
	for i := range 2000 {
		other := others[i%2]
		vfstest.Put(t, d, "c", "old")
		var both sync.WaitGroup
		var moved error
		both.Go(func() { _, moved = d.Rename(t.Context(), "c", "a", false) })
		both.Go(func() { vfstest.Put(t, other, "c", fmt.Sprint(i)) })
		both.Wait()
		at := "c"
		if _, err := os.Stat(filepath.Join(path, "c")); errors.Is(err, fs.ErrNotExist) {
			at = "a" // the rename came last and took the new one
		}
		if text, err := os.ReadFile(filepath.Join(path, at)); err != nil || string(text) != fmt.Sprint(i) {
			t.Fatalf("published %d; the rename was answered with %v; %s holds %q, %v", i, moved, at, text, err)
		}
		os.Remove(filepath.Join(path, "c"))
		os.Remove(filepath.Join(path, "a"))
	}
}

// It never replaces, and a rename that fails leaves both files as they were.
func TestTwoStepRenameKeepsWhatIsThere(t *testing.T) {
	d, path := openTwoSteps(t)
	vfstest.Put(t, d, "a", "a")
	vfstest.Put(t, d, "b", "b")
	if _, err := d.Rename(t.Context(), "a", "b", false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("renamed over a file: %v", err)
	}
	if _, err := d.Rename(t.Context(), "a", "c", false); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"b": "b", "c": "a"} {
		if text, _ := os.ReadFile(filepath.Join(path, name)); string(text) != want {
			t.Errorf("%s holds %q", name, text)
		}
	}
}

// After a crash between the two steps both names are one file. A posix-rename
// from one to the other then ends with one name, as its client was told.
func TestRenameOfTwoNamesOfOneFile(t *testing.T) {
	d, path := openTwoSteps(t)
	vfstest.Put(t, d, "a", "a")
	if err := os.Link(filepath.Join(path, "a"), filepath.Join(path, "b")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Rename(t.Context(), "a", "b", true); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old name: %v", err)
	}
	if _, err := d.Stat(t.Context(), "b"); err != nil {
		t.Error(err)
	}
}
