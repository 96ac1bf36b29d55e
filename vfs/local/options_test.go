package local_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local"
	"shelf/vfs/vfstest"
)

func putSize(t *testing.T, d *local.Dir, name string, size int, o vfs.CreateOptions) error {
	return vfstest.TryPut(t.Context(), d, name, make([]byte, size), o)
}

// A quota that is set while the library is open counts what is there, with what an
// upload holds that began before.
func TestQuotaIsSetLater(t *testing.T) {
	const block = 4 << 10
	d, _ := openDir(t, local.Options{})
	if err := putSize(t, d, "there", 4*block, vfs.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	up, err := d.Create(context.Background(), "way", vfs.CreateOptions{Create: true})
	if err == nil {
		_, err = up.WriteAt(make([]byte, 4*block), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.Change(local.Options{Quota: 10 * block})
	if err := putSize(t, d, "more", 3*block, vfs.CreateOptions{}); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("a file past the quota: %v", err)
	}
	if err := putSize(t, d, "fits", 2*block, vfs.CreateOptions{}); err != nil {
		t.Errorf("a file that fits: %v", err)
	}
	if _, err := up.Commit(context.Background()); err != nil {
		t.Error(err)
	}
	if held, ok := d.Charged(); !ok || held.Bytes != 10*block {
		t.Errorf("charged are %v, %v", held, ok)
	}
	d.Change(local.Options{})
	if err := putSize(t, d, "more", 3*block, vfs.CreateOptions{}); err != nil {
		t.Error(err)
	}
}

// With a mode for all files, clients choose none.
func TestFileMode(t *testing.T) {
	d, path := openDir(t, local.Options{})
	if err := putSize(t, d, "old", 1, vfs.CreateOptions{Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	d.Change(local.Options{FileMode: 0o640})
	for _, name := range []string{"old", "new"} {
		if err := putSize(t, d, name, 1, vfs.CreateOptions{Mode: 0o4777}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.SetAttr(context.Background(), name, vfs.Attr{HasMode: true, Mode: 0o666}); err != nil {
			t.Error(err)
		}
		if i, err := os.Stat(filepath.Join(path, name)); err != nil || i.Mode() != 0o640 {
			t.Errorf("%s has mode %v, %v", name, i.Mode(), err)
		}
	}
}

// Where a folder gives its group to what is made in it, files that are published
// have that group: another program may have to read them.
func TestFilesHaveTheGroupOfTheirFolder(t *testing.T) {
	path := t.TempDir()
	group := os.Getgid()
	if os.Geteuid() == 0 {
		group = 12345
	}
	if err := errors.Join(os.Chown(path, -1, group), os.Chmod(path, 0o770|fs.ModeSetgid)); err != nil {
		t.Fatal(err)
	}
	d, err := local.Open(path, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := putSize(t, d, "file", 1, vfs.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(path, "file"), &st); err != nil || int(st.Gid) != group {
		t.Errorf("the file has group %d, %v; want %d", st.Gid, err, group)
	}
	if i, err := os.Stat(filepath.Join(path, ".shelf")); err != nil || i.Mode().Perm() != 0o700 {
		t.Errorf("the stage folder has mode %v, %v", i.Mode(), err)
	}
}
