//go:build unix

package transfer

import (
	"os"
	"syscall"
)

// Flags of open(2): do not follow a link, and do not wait for the other end of a
// FIFO.
const (
	openNoLink = syscall.O_NOFOLLOW
	openNoWait = syscall.O_NONBLOCK
)

// lock locks a file for this process alone, until the file is closed.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
