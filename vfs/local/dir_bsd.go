//go:build darwin || freebsd

package local

import "golang.org/x/sys/unix"

// renameNoReplace says that there is no renaming without replacing in one step.
func renameNoReplace(int, string, int, string) error { return unix.EINVAL }

// setTimes sets the times of an open file.
func setTimes(fd int, atime, mtime unix.Timespec) error {
	return unix.Futimes(fd, []unix.Timeval{unix.NsecToTimeval(atime.Nano()), unix.NsecToTimeval(mtime.Nano())})
}
