//go:build darwin || freebsd

package admin

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerOf is the user at the other end (LOCAL_PEERCRED of unix(4)).
func peerOf(c *net.UnixConn) (uid int, err error) {
	const solLocal = 0
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid = -1
	var failed error
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Xucred
		if cred, failed = unix.GetsockoptXucred(int(fd), solLocal, unix.LOCAL_PEERCRED); failed == nil {
			uid = int(cred.Uid)
		}
	})
	if err == nil {
		err = failed
	}
	return uid, err
}
