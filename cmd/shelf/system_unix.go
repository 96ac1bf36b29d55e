//go:build unix

package main

import (
	"os"
	"syscall"
)

// terminal is that of the person, whatever stdin is.
type terminal struct{ *os.File }

func openTerminal() (terminal, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	return terminal{f}, err
}

func (t terminal) fd() int { return int(t.Fd()) }

// Flags of open(2), where there are such: not to follow a link, and not to wait
// for the other end of a FIFO.
const (
	openNoLink = syscall.O_NOFOLLOW
	openNoWait = syscall.O_NONBLOCK
)

// lock makes this process the only one that has the file locked, until it is
// closed.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
