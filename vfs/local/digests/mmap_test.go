//go:build linux

package digests

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A program has a file mapped, and goes on writing to a page that it has written
// to before: the system does not note that in the ctime, and the digest of before
// was taken for that of the file.
func TestDigestsSeeMappedWrites(t *testing.T) {
	dir := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type == unix.TMPFS_MAGIC {
		t.Skip("on tmpfs the system does not tell of such writes")
	}
	d, _ := digests(t, filepath.Join(dir, "digests"))
	f, err := os.OpenFile(filepath.Join(dir, "f"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("first"); err != nil {
		t.Fatal(err)
	}
	mapped, err := unix.Mmap(int(f.Fd()), 0, 5, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mapped)
	copy(mapped, "other")
	d.is(t, f, "other")
	copy(mapped, "third")
	d.is(t, f, "third")
}
