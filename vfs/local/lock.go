package local

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// lockFile is a lock that all instances of a library share, on this machine and on
// others: flock(2) of a regular file that is open for writing. The kernel gives it
// back when the process ends, however it ends.
//
// Locally flock belongs to the open file, so that two instances in one process
// exclude each other, too. The client of NFSv4 makes of it a lock of all bytes at the
// server, which is why the file must be regular and open for writing; CephFS keeps
// it at its metadata server; Lustre must be mounted with "flock". On all of them it
// excludes other machines. A machine that is gone loses it when its lease ends (90 s
// with NFSv4, 60 s with CephFS); until then the others wait. It was tried on ext4 and
// tmpfs; for network file systems this is what their documentation says.
type lockFile struct {
	mu   sync.Mutex // so that one goroutine at most waits in the kernel
	file *os.File
}

// openLock opens the lock name of a folder, which it makes.
func openLock(folder int, name string) (*lockFile, error) {
	fd, err := unix.Openat(folder, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock %q: %w", name, err)
	}
	return &lockFile{file: os.NewFile(uintptr(fd), name)}, nil
}

// hold waits for the lock. The function that it returns gives it back.
func (l *lockFile) hold() (release func(), err error) {
	l.mu.Lock()
	if err := flock(l.file, unix.LOCK_EX); err != nil {
		l.mu.Unlock()
		return nil, vfs.SystemError("lock", err)
	}
	return func() {
		flock(l.file, unix.LOCK_UN)
		l.mu.Unlock()
	}, nil
}

// try takes the lock for as long as the file is open; it is false if another has it.
func (l *lockFile) try() (taken bool, err error) {
	err = flock(l.file, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func (l *lockFile) close() error { return l.file.Close() }

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
