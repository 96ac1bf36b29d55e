package vfs

import (
	"errors"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames without ever replacing, in one step where the file
// system can (renameat2), so that a crash leaves no second name.
func renameNoReplace(olddir int, old string, newdir int, new string) error {
	err := unix.Renameat2(olddir, old, newdir, new, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return linkUnlink(olddir, old, newdir, new)
	}
	return err
}
