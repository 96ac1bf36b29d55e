package vfs

import "golang.org/x/sys/unix"

// linkUnlink renames without ever replacing, in two steps: link(2) fails where
// a name exists. A crash in between leaves both names for one file.
func linkUnlink(olddir int, old string, newdir int, new string) error {
	if err := unix.Linkat(olddir, old, newdir, new, 0); err != nil {
		return err
	}
	return unix.Unlinkat(olddir, old, 0)
}
