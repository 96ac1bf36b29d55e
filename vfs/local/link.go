package local

import (
	"errors"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// Every change of names is made under one lock, which all instances share
// ([Dir].names). It is held for a look and a rename, not for a sync: who changes a
// name knows which file it replaces, and a file that is changed only as long as it
// is the same is that one.
//
// Where the file system cannot rename without replacing in one step (macOS, BSD,
// NFS, some FUSE) such a rename is two, link and unlink. Between them both names are
// one file, so that a rename over either would do nothing and say that it is done,
// and a file published under the old name would be unlinked: the lock keeps them
// away. Who is no shelfd and changes names meanwhile is not kept away.

// renameNoReplace moves the file old of a folder to the name new of the
// library, and fails where new exists.
func (d *Dir) renameNoReplace(folder int, old, new string) error {
	if d.twoSteps {
		return d.linkUnlink(folder, old, new)
	}
	return renameNoReplace(folder, old, d.fd(), new)
}

// linkUnlink is renameNoReplace in two steps. link(2) fails where a name exists. The
// new name is on disk before the old one goes, so that a power cut leaves one of
// them or both, never neither.
func (d *Dir) linkUnlink(folder int, old, new string) error {
	if err := unix.Linkat(folder, old, d.fd(), new, 0); err != nil {
		return err
	}
	err := d.sync()
	if err == nil {
		err = unix.Unlinkat(folder, old, 0)
	}
	if err == nil {
		return nil
	}
	// A power cut may bring the new name back.
	const why = "the server's disk failed; it is not known which name the file has"
	return &vfs.Error{Kind: vfs.ErrUncertain, Why: why, Err: errors.Join(err, unix.Unlinkat(d.fd(), new, 0))}
}
