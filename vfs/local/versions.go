package local

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// versions remembers the latest versions that a library has made, so that the
// next one is unlike them. The clock of a file system has ticks. Within one tick a
// file can be published and removed, and the next file gets its inode number: it
// would have the same times, too.
type versions struct {
	mu   sync.Mutex
	last [256]made // more than one tick can hold
	next int
}

// made is which file a version was, and when it was made.
type made struct {
	id    fileID
	ctime unix.Timespec
}

// note remembers a version.
func (v *versions) note(i info) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last[v.next] = made{i.id, i.ctime}
	v.next = (v.next + 1) % len(v.last)
}

// taken tells whether the next version of a file might be one that is remembered:
// the clock has not moved on since.
func (v *versions) taken(i info) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, m := range v.last {
		if m.id == i.id && m.ctime.Nano() >= i.ctime.Nano() {
			return true
		}
	}
	return false
}

// tick is what to wait before a file system's clock is looked at again, and ticks
// how often: longer than a tick of most.
const (
	tick  = time.Millisecond
	ticks = 100
)

// beNew waits, where it must, until the stage can be published as a version that
// none has been. That is rare: the stage has got the inode number of a file that
// was published just now.
func (u *upload) beNew() error {
	for range ticks {
		i, _, err := statFile(int(u.stage.Fd()), u.name)
		if err != nil {
			return vfs.SystemError("fstat", err)
		}
		if !u.d.versions.taken(i) {
			return nil
		}
		time.Sleep(tick)
		// A change that is none sets the ctime to the time of now.
		if err := unix.Fchmod(int(u.stage.Fd()), uint32(i.mode)); err != nil {
			return vfs.SystemError("chmod", err)
		}
	}
	return nil
}
