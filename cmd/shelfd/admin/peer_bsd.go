//go:build darwin || freebsd

package admin

import "golang.org/x/sys/unix"

// uidOf is the user at the other end of a unix socket (LOCAL_PEERCRED of unix(4)).
func uidOf(fd int) (uid int, err error) {
	const solLocal = 0
	cred, err := unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
	if err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}
