package tests

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shelf/tests/powercut"
)

// TestLinearizableLinked is TestLinearizable where renameat2 does not have
// RENAME_NOREPLACE, so that a rename which must not replace is link and unlink. Two
// servers share the library.
func TestLinearizableLinked(t *testing.T) {
	needFUSE(t)
	dir := t.TempDir()
	library := filepath.Join(dir, "library")
	if err := os.Mkdir(library, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := powercut.Mount(library, powercut.Options{
		NoRenameNoReplace: true,
		BeforeUnlink:      func() { time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Error(err)
		}
	})
	linear(t, &linearRun{dir: dir, forced: true, servers: 2}, 10*time.Second)
}
