package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// beingWritten tells whether somebody has a file open for writing: then there is
// no read lease to be had, see fcntl(2). Where none can be had at all, as on
// a file of another owner or over a network, it is not known, and false. The
// lease is given back at once, since whoever opens the file waits for that.
func beingWritten(file string) bool {
	f, _, err := openLocal(file, openNoLink)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	}
	return errors.Is(err, unix.EAGAIN)
}
