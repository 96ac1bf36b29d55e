package local

import (
	"errors"
	"hash/maphash"
	"sync"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// nameLock keeps changes of names apart where the file system cannot rename
// without replacing in one step (macOS, BSD, NFS, some FUSE). There such a
// rename is two steps, link and unlink, and has the lock to itself: between
// them both names are one file, so that a rename over either would do nothing
// and say that it is done, and a file published under the old name would be
// unlinked. All other changes share the lock.
//
// Changes of what one name stands for come one after the other, so that each knows
// which file it replaces. For that the names share some locks.
type nameLock struct {
	mu       sync.RWMutex
	twoSteps bool // set when the library is opened

	seed maphash.Seed
	of   [64]sync.Mutex // by the hash of a name; taken after mu
}

// hold locks for one change of what name stands for; replace is false for a rename
// that must not replace. The function that it returns unlocks.
func (l *nameLock) hold(name string, replace bool) (release func()) {
	if l.twoSteps && !replace {
		return l.holdAlone()
	}
	l.mu.RLock()
	one := &l.of[maphash.String(l.seed, name)%uint64(len(l.of))]
	one.Lock()
	return func() { one.Unlock(); l.mu.RUnlock() }
}

// holdAlone locks against every change of names.
func (l *nameLock) holdAlone() (release func()) {
	l.mu.Lock()
	return l.mu.Unlock
}

// renameNoReplace moves the file old of a folder to the name new of the
// library, and fails where new exists.
func (d *Dir) renameNoReplace(folder int, old, new string) error {
	if d.names.twoSteps {
		return d.linkUnlink(folder, old, new)
	}
	return renameNoReplace(folder, old, d.fd(), new)
}

// linkUnlink is renameNoReplace in two steps; the lock is held alone. link(2)
// fails where a name exists. The new name is on disk before the old one goes,
// so that a power cut leaves one of them or both, never neither.
func (d *Dir) linkUnlink(folder int, old, new string) error {
	if err := unix.Linkat(folder, old, d.fd(), new, 0); err != nil {
		return err
	}
	err := d.sync()
	if err == nil {
		err = unix.Unlinkat(folder, old, 0)
	}
	if err == nil {
		return nil
	}
	// A power cut may bring the new name back.
	const why = "the server's disk failed; it is not known which name the file has"
	return &vfs.Error{Kind: vfs.ErrUncertain, Why: why, Err: errors.Join(err, unix.Unlinkat(d.fd(), new, 0))}
}
