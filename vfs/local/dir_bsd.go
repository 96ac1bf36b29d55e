//go:build darwin || freebsd

package local

import (
	"golang.org/x/sys/unix"
)

// renameNoReplace says that there is no renaming without replacing in one step.
func renameNoReplace(int, string, int, string) error { return unix.EINVAL }

// setTimes sets the times of an open file.
func setTimes(fd int, atime, mtime unix.Timespec) error {
	return unix.Futimes(fd, []unix.Timeval{unix.NsecToTimeval(atime.Nano()), unix.NsecToTimeval(mtime.Nano())})
}

// toHold opens a file to look at it.
const toHold = unix.O_RDONLY | unix.O_NONBLOCK

// statAt describes a name in an open folder, and does not follow a link.
func statAt(dir int, name string) (i info, regular bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return i, false, err
	}
	i, regular = infoOf(name, &st)
	i.born = st.Btim
	return i, regular, nil
}

// statFile describes an open file, which is called name.
func statFile(fd int, name string) (i info, regular bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return i, false, err
	}
	i, regular = infoOf(name, &st)
	i.born = st.Btim
	return i, regular, nil
}
