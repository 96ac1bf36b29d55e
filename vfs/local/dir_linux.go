package local

import (
	"errors"
	"io/fs"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames without ever replacing, in one step (renameat2), so
// that a crash leaves no second name. A file system that cannot says EINVAL.
func renameNoReplace(olddir int, old string, newdir int, new string) error {
	return unix.Renameat2(olddir, old, newdir, new, unix.RENAME_NOREPLACE)
}

// setTimes sets the times of an open file: futimens(3), which on Linux is
// utimensat(2) of a descriptor without a path.
func setTimes(fd int, atime, mtime unix.Timespec) error {
	times := [2]unix.Timespec{atime, mtime}
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// toHold opens a file to look at it and for nothing else, which takes no
// permission on it.
const toHold = unix.O_PATH

// statAt describes a name in an open folder, and does not follow a link.
func statAt(dir int, name string) (i info, regular bool, err error) {
	return statx(dir, name, unix.AT_SYMLINK_NOFOLLOW, name)
}

// statFile describes an open file, which is called name.
func statFile(fd int, name string) (i info, regular bool, err error) {
	return statx(fd, "", unix.AT_EMPTY_PATH, name)
}

// statx is statx(2), which tells the time of birth. Before Linux 4.11 there was
// none.
func statx(fd int, path string, flags int, name string) (i info, regular bool, err error) {
	var st unix.Statx_t
	err = unix.Statx(fd, path, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	if errors.Is(err, unix.ENOSYS) {
		var old unix.Stat_t
		if err = unix.Fstatat(fd, path, &old, flags); err != nil {
			return i, false, err
		}
		i, regular = infoOf(name, &old)
		return i, regular, nil
	}
	if err != nil {
		return i, false, err
	}
	i = info{
		name:  name,
		size:  int64(st.Size),
		mode:  fs.FileMode(st.Mode) & fs.ModePerm,
		mtime: time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)),
		id:    fileID{unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino},
		ctime: timespec(st.Ctime),
		links: uint64(st.Nlink),
		uid:   st.Uid,
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		i.born = timespec(st.Btime)
	}
	return i, uint32(st.Mode)&unix.S_IFMT == unix.S_IFREG, nil
}

func timespec(t unix.StatxTimestamp) (ts unix.Timespec) {
	ts.Sec, ts.Nsec = t.Sec, int64(t.Nsec)
	return ts
}
