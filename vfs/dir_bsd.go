//go:build darwin || freebsd

package vfs

func renameNoReplace(olddir int, old string, newdir int, new string) error {
	return linkUnlink(olddir, old, newdir, new)
}
