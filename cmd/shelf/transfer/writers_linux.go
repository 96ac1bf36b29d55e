package transfer

import (
	"errors"

	"golang.org/x/sys/unix"
)

// beingWritten tells whether somebody has a file open for writing: then the system
// refuses a read lease, see fcntl(2). If no lease is possible at all, as for a file
// of another owner or on a network, it is false. The lease is given back at once,
// since it makes others wait who open the file.
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
