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
	"shelf/vfs/vfstest"
)

func resizeTo(size int64) vfs.Attr { return vfs.Attr{HasSize: true, Size: size} }

// The limits of vfstest, and what a folder has besides.
func TestLimits(t *testing.T) {
	rules := local.PartialRules{MinSize: 1, PerAccount: 1, MaxAge: time.Hour}
	vfstest.TestQuota(t, func(t *testing.T, limit vfs.UsageInfo) vfs.Library {
		d, _ := openDir(t, local.Options{Quota: limit.Bytes, MaxFiles: limit.Files, Partials: &rules})
		return d
	})
	d, path := openDir(t, local.Options{})
	put(t, d, "there", 0, create, commit)
	d.Close()
	d = reopen(t, path, local.Options{Quota: 10 * block})
	for n := range 9 { // the smallest costs a block, and what was there counts
		put(t, d, fmt.Sprint("empty ", n), 0, create, commit)
	}
	if _, err := d.Create(t.Context(), "one more", create); !errors.Is(err, vfs.ErrNoSpace) {
		t.Error(err)
	}
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
