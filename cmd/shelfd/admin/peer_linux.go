package admin

import "golang.org/x/sys/unix"

// uidOf is the user at the other end of a unix socket (SO_PEERCRED of unix(7)).
func uidOf(fd int) (uid int, err error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}
