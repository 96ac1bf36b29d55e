package vfs

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Rename implements [Library]. The folder is synced, so that what was renamed
// stays renamed.
func (d *Dir) Rename(_ context.Context, old, new string, replace bool) error {
	if err := CheckName(new); err != nil {
		return err
	}
	if _, err := d.stat(old); err != nil {
		return err
	}
	if old == new {
		return nil
	}
	if err := d.usage.replacing(d, new, func() error { return d.place(d.fd(), old, new, replace) }); err != nil {
		return err
	}
	return d.sync()
}

// place moves the file old of a folder on this file system to a name of the
// library.
func (d *Dir) place(folder int, old, new string, replace bool) error {
	if err := d.checkTarget(new, replace); err != nil {
		return err
	}
	if !replace {
		return storeError("rename", renameNoReplace(folder, old, d.fd(), new))
	}
	return storeError("rename", unix.Renameat(folder, old, d.fd(), new))
}

// checkTarget refuses a name that stands for something else than a file, which
// a rename would replace (a link, a FIFO) and which clients cannot see. It looks
// once: between two looks another upload may publish a file.
func (d *Dir) checkTarget(name string, replace bool) error {
	var st unix.Stat_t
	err := unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return storeError("stat", err)
	}
	if _, regular := infoOf(name, &st); !regular {
		return &Error{Kind: ErrName, Why: "the name is taken by something that is not a file of the library"}
	}
	if !replace {
		return &Error{Kind: fs.ErrExist, Why: "a file of that name exists"}
	}
	return nil
}

// Remove implements [Library].
func (d *Dir) Remove(_ context.Context, name string) error {
	if _, err := d.stat(name); err != nil {
		return err
	}
	remove := func() error { return storeError("remove", unix.Unlinkat(d.fd(), name, 0)) }
	if err := d.usage.replacing(d, name, remove); err != nil {
		return err
	}
	return d.sync()
}

// SetAttr implements [Library].
func (d *Dir) SetAttr(ctx context.Context, name string, a Attr) (Info, error) {
	if a.HasSize {
		return d.resize(ctx, name, a)
	}
	f, i, err := d.open(name)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	if err := setAttr(d.fd(), name, f, i.mode, a); err != nil {
		return Info{}, err
	}
	return (&dirFile{File: f, name: name}).Stat()
}

// resize publishes the file anew with another size.
func (d *Dir) resize(ctx context.Context, name string, a Attr) (Info, error) {
	u, err := d.Create(ctx, name, CreateOptions{})
	if err != nil {
		return Info{}, err
	}
	if err := u.SetAttr(a); err != nil {
		u.Abort()
		return Info{}, err
	}
	return u.Commit(ctx)
}

// setAttr sets mode and times of the open file that folder has under name.
func setAttr(folder int, name string, f *os.File, old fs.FileMode, a Attr) error {
	if a.HasMode && FileMode(a.Mode) != old {
		if err := f.Chmod(FileMode(a.Mode)); err != nil {
			return storeError("chmod", err)
		}
	}
	if !a.HasTimes {
		return nil
	}
	times := []unix.Timespec{unix.NsecToTimespec(a.Atime.UnixNano()), unix.NsecToTimespec(a.Mtime.UnixNano())}
	return storeError("utimensat", unix.UtimesNanoAt(folder, name, times, unix.AT_SYMLINK_NOFOLLOW))
}

// sync makes the folder's names durable.
func (d *Dir) sync() error {
	if d.o.Durability == NoFsync {
		return nil
	}
	return storeError("fsync", d.dir.Sync())
}
