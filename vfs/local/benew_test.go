package local

import (
	"testing"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// A stage with the inode number of a file that was published just now waits for
// the clock. Before Linux 6.13 that has ticks of up to 10 ms.
func TestStageWaitsForTheClock(t *testing.T) {
	d, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	up, err := d.Create(t.Context(), "f", vfs.CreateOptions{Create: true})
	if err == nil {
		_, err = up.WriteAt([]byte("text"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	before, _, err := statFile(int(up.(*upload).stage.Fd()), "f")
	if err != nil {
		t.Fatal(err)
	}
	before.ctime = unix.NsecToTimespec(before.ctime.Nano() + 20e6)
	d.versions.note(before)
	if _, err := up.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := d.stat("f")
	if err != nil || after.id != before.id || after.ctime.Nano() <= before.ctime.Nano() {
		t.Errorf("published at %v, after one of %v: %v", after.ctime, before.ctime, err)
	}
}
