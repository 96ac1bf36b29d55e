package local

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// Rename implements [vfs.Library]. The folder is synced, so that what was renamed
// stays renamed.
func (d *Dir) Rename(_ context.Context, old, new string, replace bool) (c vfs.Change, err error) {
	if err := vfs.CheckName(new); err != nil {
		return c, err
	}
	f, from, err := d.hold(old)
	if err != nil {
		return c, err
	}
	defer f.Close()
	if old == new {
		return vfs.Change{Before: from.public(), After: from.public()}, nil
	}
	was, err := d.keepOld(new, replace)
	defer was.end()
	if err != nil {
		return c, err
	}
	rename := func() (err error) { c.Replaced, err = d.rename(old, new, replace, was); return err }
	if err := d.quota.Replacing(new, was, rename); err != nil {
		return vfs.Change{}, err
	}
	late := d.sync()
	replaced := c.Replaced
	c, err = d.changed(f, from, new)
	c.Replaced = replaced
	return c, uncertain("renamed", errors.Join(late, err))
}

// hold opens a file to look at it before and after a change.
func (d *Dir) hold(name string) (*os.File, info, error) {
	if vfs.CheckName(name) != nil {
		return nil, info{}, vfs.NotExist()
	}
	return d.openAs(toHold, name)
}

// changed is what has become of an open file, which is called name now.
func (d *Dir) changed(f *os.File, before info, name string) (vfs.Change, error) {
	after, _, err := statFile(int(f.Fd()), name)
	if err != nil {
		return vfs.Change{}, vfs.SystemError("fstat", err)
	}
	d.versions.note(after)
	return vfs.Change{Before: before.public(), After: after.public()}, nil
}

// rename tells which file it has replaced. Two names of one file, which rename(2)
// would leave so, become one.
func (d *Dir) rename(old, new string, replace bool, keep *kept) (was vfs.Info, err error) {
	release, err := d.instance().holdNames()
	if err != nil {
		return was, err
	}
	defer release()
	to, err := d.checkTarget(new, replace)
	if err != nil {
		return was, err
	}
	if to.id != (fileID{}) {
		from, err := d.stat(old)
		if err != nil {
			return was, err
		}
		if from.id == to.id {
			return was, vfs.SystemError("rename", unix.Unlinkat(d.fd(), old, 0))
		}
	}
	if err := (renameLog{d.instance().names.File()}).tell(new, to.id != fileID{}); err != nil {
		return was, err
	}
	err = d.place(d.fd(), old, new, replace, to, keep)
	return keep.before(to).orNone(), err
}

// publish gives the file entry of the stage folder its name in the library, and
// tells which file had it. If only is set it must be that one; else the error is
// errReplaced.
func (d *Dir) publish(st *stage, name string, replace bool, only fileID, keep *kept) (was vfs.Info, err error) {
	release, err := d.instance().holdNames()
	if err != nil {
		return was, err
	}
	defer release()
	now, err := d.checkTarget(name, replace)
	if err != nil {
		return was, err
	}
	if only != (fileID{}) && now.id != only {
		return was, errReplaced
	}
	err = d.place(st.in.fd(), st.name, name, replace, now, keep)
	return keep.before(now).orNone(), err
}

// place moves the file old of a folder on this file system to a name of the
// library, which stands for was; keep is about that. The caller holds d.names and has
// called checkTarget.
func (d *Dir) place(folder int, old, new string, replace bool, was info, keep *kept) error {
	if !replace {
		return vfs.SystemError("rename", d.renameNoReplace(folder, old, new))
	}
	if was.id != (fileID{}) {
		d.versions.note(was)
	}
	if err := keep.replacing(was); err != nil {
		return err
	}
	if err := unix.Renameat(folder, old, d.fd(), new); err != nil {
		return vfs.SystemError("rename", err)
	}
	keep.done(was)
	return nil
}

// checkTarget refuses a name that stands for something else than a file, which
// a rename would replace (a link, a FIFO) and which clients cannot see. It looks
// once: between two looks another upload may publish a file. If there is a file
// it tells which.
func (d *Dir) checkTarget(name string, replace bool) (i info, err error) {
	i, regular, err := d.statAt(name)
	if errors.Is(err, unix.ENOENT) {
		return info{}, nil
	}
	if err != nil {
		return info{}, vfs.SystemError("stat", err)
	}
	if !regular {
		return info{}, &vfs.Error{Kind: vfs.ErrName, Why: "the name is taken by something that is not a file of the library"}
	}
	if !replace {
		return info{}, vfs.Exists()
	}
	return i, nil
}

// Remove implements [vfs.Library].
func (d *Dir) Remove(_ context.Context, name string) error {
	return d.removeIf(name, func(info) bool { return true })
}

// removeIf removes a file, if it is one that is meant.
func (d *Dir) removeIf(name string, meant func(info) bool) error {
	if _, err := d.stat(name); err != nil {
		return err
	}
	was := d.toRemove(name)
	remove := func() error {
		release, err := d.instance().holdNames()
		if err != nil {
			return err
		}
		defer release()
		i, err := d.stat(name)
		if err != nil {
			return err
		}
		if !meant(i) {
			return vfs.NotExist()
		}
		d.versions.note(i)
		return was.remove(i)
	}
	if err := d.quota.Replacing(name, was, remove); err != nil {
		return err
	}
	d.owners.changed()
	return uncertain("removed", errors.Join(was.sync(), d.sync()))
}

// SetAttr implements [vfs.Library].
func (d *Dir) SetAttr(ctx context.Context, name string, a vfs.Attr) (vfs.Change, error) {
	if a.HasSize {
		return d.resize(ctx, name, a)
	}
	f, i, err := d.open(name)
	if err != nil {
		return vfs.Change{}, err
	}
	defer f.Close()
	a.HasMode = a.HasMode && d.o.now().FileMode == 0
	changed, err := setAttr(f, i.mode, a)
	if err == nil && changed && d.o.now().Durability != NoFsync {
		err = vfs.SystemError("fsync", f.Sync())
	}
	if err != nil {
		return vfs.Change{}, err
	}
	return d.changed(f, i, name)
}

// errReplaced is the end of a change to a file that another has replaced.
var errReplaced = &vfs.Error{Kind: vfs.ErrIO, Why: "the file is replaced all the time; try again"}

// maxResizes is how often a file is copied to give it another size, if others
// replace it meanwhile.
const maxResizes = 10

// resize publishes the file anew with another size. What another has published
// meanwhile is not undone: then it starts again from that.
func (d *Dir) resize(ctx context.Context, name string, a vfs.Attr) (c vfs.Change, err error) {
	for range maxResizes {
		c, err = d.resizeOnce(ctx, name, a)
		if !errors.Is(err, errReplaced) {
			return c, err
		}
	}
	return c, err
}

func (d *Dir) resizeOnce(ctx context.Context, name string, a vfs.Attr) (c vfs.Change, err error) {
	base, i, err := d.open(name)
	if err != nil {
		return c, err
	}
	u, err := d.replace(name, base, i, vfs.CreateOptions{Check: a.Check})
	if err != nil {
		return c, err
	}
	u.only, c.Before = i.id, i.public()
	if err := u.SetAttr(a); err != nil {
		u.Abort()
		return c, err
	}
	made, err := u.Commit(ctx)
	c.After = made.After
	return c, err
}

// setAttr sets mode and times of an open file, and tells whether it had to.
func setAttr(f *os.File, old fs.FileMode, a vfs.Attr) (changed bool, err error) {
	if a.HasMode && vfs.FileMode(a.Mode) != old {
		if err := f.Chmod(vfs.FileMode(a.Mode)); err != nil {
			return false, vfs.SystemError("chmod", err)
		}
		changed = true
	}
	if !a.HasTimes {
		return changed, nil
	}
	atime, mtime := unix.NsecToTimespec(a.Atime.UnixNano()), unix.NsecToTimespec(a.Mtime.UnixNano())
	return true, vfs.SystemError("set the times", setTimes(int(f.Fd()), atime, mtime))
}

// sync makes the folder's names durable, where that is promised.
func (d *Dir) sync() error {
	if d.o.now().Durability == NoFsync {
		return nil
	}
	return d.dir.sync()
}

// sync makes an open folder's names durable, where that is promised.
func (o *Options) sync(folder *os.File) error {
	if o.Durability == NoFsync {
		return nil
	}
	return vfs.SystemError("fsync", folder.Sync())
}
