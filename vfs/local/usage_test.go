package local_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/local"
)

func resizeTo(size int64) vfs.Attr { return vfs.Attr{HasSize: true, Size: size} }

// A file can be made smaller when the quota is used up, by its name and by an
// upload over it, and what that frees can be used.
func TestQuotaGivesBack(t *testing.T) {
	for how, shrink := range map[string]func(d *local.Dir) error{
		"by name": func(d *local.Dir) error { return failure(d.SetAttr(t.Context(), "f", resizeTo(10*block))) },
		"by an upload": func(d *local.Dir) error {
			u, err := d.Create(t.Context(), "f", vfs.CreateOptions{})
			if err != nil {
				return err
			}
			return errors.Join(u.SetAttr(resizeTo(10*block)), commit(u))
		},
		"by one that is smaller": func(d *local.Dir) error {
			u, err := d.Create(t.Context(), "f", vfs.CreateOptions{Create: true, Truncate: true})
			if err != nil {
				return err
			}
			return errors.Join(u.SetAttr(resizeTo(10*block)), commit(u))
		},
		"by an upload that shrinks": func(d *local.Dir) error {
			u, err := d.Create(t.Context(), "f", vfs.CreateOptions{})
			if err != nil {
				return err
			}
			return errors.Join(u.SetAttr(resizeTo(99*block)), u.SetAttr(resizeTo(10*block)), commit(u))
		},
	} {
		t.Run(how, func(t *testing.T) {
			d, _ := openDir(t, local.Options{Quota: 100 * block})
			put(t, d, "f", 99*block, create, commit)
			if err := failure(d.SetAttr(t.Context(), "f", resizeTo(101*block))); !errors.Is(err, vfs.ErrNoSpace) {
				t.Error("it was made larger than the quota:", err)
			}
			if err := shrink(d); err != nil {
				t.Fatal(err)
			}
			put(t, d, "g", 90*block, create, commit)
			if _, err := d.Create(t.Context(), "h", create); !errors.Is(err, vfs.ErrNoSpace) {
				t.Error("there is more room than was freed:", err)
			}
		})
	}
}

// Of many uploads that would replace one file only the first may use what that
// takes: while they go on they are all on the disk. When the file has gone
// meanwhile, and others have used what it took, it is refused at the end.
func TestQuotaLendsOnce(t *testing.T) {
	d, _ := openDir(t, local.Options{Quota: 100 * block})
	put(t, d, "f", 90*block, create, commit)
	over := vfs.CreateOptions{Create: true, Truncate: true}
	first, err := d.Create(t.Context(), "f", over)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Abort()
	if err := first.SetAttr(resizeTo(90 * block)); err != nil {
		t.Fatal(err)
	}
	second, err := d.Create(t.Context(), "f", over)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Abort()
	if err := second.SetAttr(resizeTo(11 * block)); !errors.Is(err, vfs.ErrNoSpace) {
		t.Error("both use it:", err)
	}
	second.Abort()
	if err := d.Remove(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	put(t, d, "g", 90*block, create, commit)
	if _, err := first.Commit(t.Context()); !errors.Is(err, vfs.ErrNoSpace) {
		t.Error("the quota is exceeded:", err)
	}
}

// A library has so many files and no more, with uploads under way and partials in
// the count; the smallest costs a block.
func TestMaxFiles(t *testing.T) {
	rules := local.PartialRules{MinSize: 1, PerAccount: 1, MaxAge: time.Hour}
	d, path := openDir(t, local.Options{MaxFiles: 3, Partials: &rules})
	full := func(what string) {
		t.Helper()
		if _, err := d.Create(t.Context(), "one more", create); !errors.Is(err, vfs.ErrNoSpace) {
			t.Errorf("%s: %v", what, err)
		}
	}
	put(t, d, "a", 0, create, commit)
	put(t, d, "b", 1, create, keep)
	u, err := d.Create(t.Context(), "c", create)
	if err != nil {
		t.Fatal(err)
	}
	full("a file, a partial and an upload")
	put(t, d, "a", 5, vfs.CreateOptions{Create: true, Truncate: true}, commit) // replacing is none more
	u.Abort()
	put(t, d, "c", 1, create, keep) // and drops the partial of b
	put(t, d, "d", 0, create, commit)
	full("two files and a partial")
	put(t, d, "c", 1, vfs.CreateOptions{}, commit) // resumed
	full("three files")
	if _, err := d.Rename(t.Context(), "a", "c", true); err != nil {
		t.Fatal(err)
	}
	put(t, d, "e", 0, create, commit)
	full("after a rename over a file")
	if s, err := d.Space(t.Context()); err != nil || s.Files != 3 || s.FreeFiles != 0 {
		t.Errorf("it tells %+v, %v", s, err)
	}
	d.Close()

	d = reopen(t, path, local.Options{Quota: 10 * block})
	for n := range 7 {
		put(t, d, fmt.Sprint("empty ", n), 0, create, commit)
	}
	full("ten empty files")
}

// The disk's reserve is kept by who sets the size first and writes later, and by
// who changes a byte of a large file, which is copied.
func TestMinFreeSpaceIsKept(t *testing.T) {
	path := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", path).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", path).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	d, err := local.Open(path, local.Options{MinFreeSpace: 6 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	sized := func(name string) vfs.Upload {
		u, err := d.Create(t.Context(), name, create)
		if err == nil {
			err = u.SetAttr(resizeTo(6 << 20))
		}
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	first, second := sized("first"), sized("second")
	write := func(u vfs.Upload) error {
		for off := range int64(6) {
			if _, err := u.WriteAt(make([]byte, 1<<20), off<<20); err != nil {
				return err
			}
		}
		return nil
	}
	if err := errors.Join(write(first), commit(first)); err != nil {
		t.Fatal(err)
	}
	if err := write(second); !errors.Is(err, vfs.ErrNoSpace) {
		t.Error("what had a size was written into the reserve:", err)
	}
	second.Abort()
	u, err := d.Create(t.Context(), "first", vfs.CreateOptions{})
	if err == nil {
		_, err = u.WriteAt([]byte("x"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := commit(u); !errors.Is(err, vfs.ErrNoSpace) {
		t.Error("a copy was made into the reserve:", err)
	}
	if _, err := os.Stat(path + "/first"); err != nil {
		t.Error(err)
	}
}

// What a library holds is counted for who asks, and known without counting if it
// has limits.
func TestUsageIsTold(t *testing.T) {
	d, _ := openDir(t, local.Options{Quota: 100 * block})
	if _, ok := d.Charged(); ok {
		t.Error("nothing has been counted yet")
	}
	put(t, d, "f", 10*block, create, commit)
	put(t, d, "g", 1, create, commit)
	want := vfs.UsageInfo{Bytes: 11 * block, Files: 2}
	if got, err := d.Usage(t.Context()); got != want || err != nil {
		t.Errorf("it holds %+v (%v)", got, err)
	}
	if got, ok := d.Charged(); got != want || !ok {
		t.Errorf("it is charged %+v (%v)", got, ok)
	}
	unlimited, _ := openDir(t, local.Options{})
	put(t, unlimited, "f", 10*block, create, commit)
	if _, ok := unlimited.Charged(); ok {
		t.Error("without limits nothing is counted")
	}
}

// A probe tells whether uploads can be made, and leaves nothing behind.
func TestProbe(t *testing.T) {
	d, dir := openDir(t, local.Options{})
	if err := d.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	stagesAre(t, dir, 0)
	if err := os.RemoveAll(filepath.Join(dir, ".shelf")); err != nil {
		t.Fatal(err)
	}
	if d.Probe(t.Context()) == nil {
		t.Error("its folder is gone, and it says that uploads can be made")
	}
}

// Who watches hears how long publishing took, and how long of that the disk.
func TestPublishingIsTimed(t *testing.T) {
	var steps []local.Step
	d, _ := openDir(t, local.Options{Timed: func(s local.Step, _ time.Duration) { steps = append(steps, s) }})
	put(t, d, "f", 10, create, commit)
	if !slices.Equal(steps, []local.Step{local.Syncing, local.Publishing}) {
		t.Errorf("heard of %v", steps)
	}
}
