package local_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"shelf/vfs/local"
)

// A file that was there all the time is listed, under its old name or its new
// one, when it is renamed while a listing is under way.
func TestListMissesNoRenamedFile(t *testing.T) {
	renameByUs := func(d *local.Dir, _, old, new string) error { return failure(d.Rename(t.Context(), old, new, false)) }
	renameByOthers := func(_ *local.Dir, path, old, new string) error {
		return os.Rename(filepath.Join(path, old), filepath.Join(path, new))
	}
	renameByAnother := func(_ *local.Dir, path, old, new string) error {
		d := reopen(t, path, local.Options{Durability: local.NoFsync})
		return errors.Join(failure(d.Rename(t.Context(), old, new, false)), d.Close())
	}
	for _, c := range []struct {
		story  string
		files  int
		rename func(d *local.Dir, path, old, new string) error
	}{
		{"by a session, before its name is read", 600, renameByUs},
		{"by a session, after its name is read", 60, renameByUs},
		{"by another instance, before its name is read", 600, renameByAnother},
		{"by another instance, after its name is read", 60, renameByAnother},
		{"by another program, after its name is read", 60, renameByOthers},
	} {
		d, path := openDir(t, local.Options{Durability: local.NoFsync})
		for i := range c.files {
			write(t, filepath.Join(path, fmt.Sprintf("f%03d", i)), "")
		}
		for round := range 10 {
			old := ""
			listed := listAndDo(t, d, 1+round*5, func(listed map[string]int) error {
				old = firstUnlisted(listed, c.files)
				return c.rename(d, path, old, "moved")
			})
			if listed[old]+listed["moved"] == 0 {
				t.Errorf("renamed %s: %s is not listed", c.story, old)
			}
			for name, n := range listed {
				if n != 1 {
					t.Errorf("renamed %s: %s is listed %d times", c.story, name, n)
				}
			}
			if err := renameByOthers(d, path, "moved", old); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// listAndDo lists a library, does something once so many files are listed, and
// counts how often each name came.
func listAndDo(t *testing.T, d *local.Dir, after int, do func(listed map[string]int) error) map[string]int {
	t.Helper()
	listed := make(map[string]int)
	for i, err := range d.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		listed[i.Name]++
		if len(listed) != after {
			continue
		}
		if err := do(listed); err != nil {
			t.Fatal(err)
		}
	}
	return listed
}

func firstUnlisted(listed map[string]int, files int) string {
	for i := range files {
		if name := fmt.Sprintf("f%03d", i); listed[name] == 0 {
			return name
		}
	}
	return ""
}

// A file that is renamed over one that was listed already is not listed again
// under that name.
func TestListNamesOnce(t *testing.T) {
	const files = 60
	d, path := openDir(t, local.Options{Durability: local.NoFsync})
	for round := range files / 2 {
		for i := range files {
			write(t, filepath.Join(path, fmt.Sprintf("f%03d", i)), "")
		}
		listed := listAndDo(t, d, 1+round, func(listed map[string]int) error {
			for name := range listed {
				return failure(d.Rename(t.Context(), firstUnlisted(listed, files), name, true))
			}
			return nil
		})
		for name, n := range listed {
			if n != 1 {
				t.Errorf("round %d: %s is listed %d times", round, name, n)
			}
		}
	}
}
