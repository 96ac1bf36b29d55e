// Package filelock is a lock that several processes share, on this machine and on others
// that have the same file system.
package filelock

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// Lock is flock(2) of a regular file that is open for writing. The kernel gives it
// back when the process ends, however it ends.
//
// Locally flock belongs to the open file, so that two instances in one process
// exclude each other, too. The client of NFSv4 makes of it a lock of all bytes at the
// server, which is why the file must be regular and open for writing; CephFS keeps
// it at its metadata server; Lustre must be mounted with "flock". On all of them it
// excludes other machines. A machine that is gone loses it when its lease ends (90 s
// with NFSv4, 60 s with CephFS); until then the others wait. It was tried on ext4 and
// tmpfs; for network file systems this is what their documentation says.
type Lock struct {
	mu     sync.Mutex // so that one goroutine at most waits in the kernel
	file   *os.File
	folder int // where it is, by name
	name   string
}

// ErrGone is that the file of the lock was removed. Who opens it anew has another lock.
var ErrGone = errors.New("the file of a lock was removed")

// Open opens the lock of that name in a folder, which must stay open; it makes the file.
func Open(folder int, name string) (*Lock, error) {
	fd, err := unix.Openat(folder, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock %q: %w", name, err)
	}
	return New(os.NewFile(uintptr(fd), name), folder, name), nil
}

// New is the lock of an open file. It closes the file.
func New(f *os.File, folder int, name string) *Lock {
	return &Lock{file: f, folder: folder, name: name}
}

// File is the file, in which the holders may keep something. It is not to be closed.
func (l *Lock) File() *os.File { return l.file }

// Hold waits for the lock. The function that it returns gives it back.
func (l *Lock) Hold() (release func(), err error) {
	l.mu.Lock()
	if err := flock(l.file, unix.LOCK_EX); err != nil {
		l.mu.Unlock()
		return nil, vfs.SystemError("lock", err)
	}
	release = func() {
		flock(l.file, unix.LOCK_UN)
		l.mu.Unlock()
	}
	if err := l.Check(); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// Check tells whether the lock is the one that others find by its name: it is ErrGone
// if not.
func (l *Lock) Check() error {
	var is, at unix.Stat_t
	if err := unix.Fstat(int(l.file.Fd()), &is); err != nil {
		return vfs.SystemError("look at a lock", err)
	}
	err := unix.Fstatat(l.folder, l.name, &at, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || err == nil && (is.Ino != at.Ino || is.Dev != at.Dev) {
		return ErrGone
	}
	return vfs.SystemError("look at a lock", err)
}

// Try takes the lock for as long as the file is open; it is false if another has it.
func (l *Lock) Try() (taken bool, err error) {
	err = flock(l.file, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// ErrTaken is that another has a lock.
var ErrTaken = errors.New("another has the lock")

// TryShared takes the lock of a folder, beside others who take it so, for as long as the
// folder is open. Where folders have no locks it is another error.
func TryShared(folder *os.File) error {
	err := flock(folder, unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrTaken
	}
	return err
}

// Close gives the lock back.
func (l *Lock) Close() error { return l.file.Close() }

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
