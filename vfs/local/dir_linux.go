package local

import (
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
