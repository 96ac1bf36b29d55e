package digests

import (
	"os"

	"golang.org/x/sys/unix"
)

// seeWrites has the system note the next write through a mapping of the file
// (mmap) in its ctime. It does that when a page is made dirty, and not for more
// writes to a page that is dirty already, so the pages are sent on their way to
// the disk. Where there is no disk, as for tmpfs, such writes are not seen.
func seeWrites(f *os.File) {
	unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) // if it fails, they are not seen either
}
