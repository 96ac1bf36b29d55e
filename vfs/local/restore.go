package local

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/history"
)

// Versions implements [vfs.History].
func (d *Dir) Versions(_ context.Context, name string) (all []vfs.OldVersion, err error) {
	if vfs.CheckName(name) != nil {
		return nil, nil
	}
	versions, err := d.versionsOf(name)
	for _, v := range slices.Backward(versions) {
		if d.isServed(v) {
			all = append(all, vfs.OldVersion{ID: v.ID, Kept: v.Kept, Size: v.Size, ModTime: v.ModTime})
		}
	}
	return all, vfs.SystemError("list the versions", err)
}

// isServed tells of one of versionsOf that it is no file from elsewhere.
func (d *Dir) isServed(v history.Version) bool {
	return !d.o.now().isForeign(info{links: v.Links, uid: v.UID})
}

// Restore implements [vfs.History]. A version goes back by a rename. What it replaces
// is kept first, as in Commit.
func (d *Dir) Restore(_ context.Context, name, id string, replace bool) (c vfs.Change, err error) {
	if err := vfs.CheckName(name); err != nil {
		return c, err
	}
	v, err := d.findVersion(name, id)
	if err != nil {
		return c, err
	}
	f, err := d.history.Open(v, toHold)
	if err != nil {
		return c, noVersion(err)
	}
	defer f.Close()
	var was *kept
	if replace {
		was, err = d.keepAlways(name)
		defer was.end()
		if err != nil {
			return c, err
		}
	}
	restore := func() (err error) { c.Replaced, err = d.restore(v, replace, was); return err }
	// It takes no more than before; but a count meanwhile would see it twice, or not at all.
	if err := d.quota.Replacing(name, was, restore); err != nil {
		return vfs.Change{}, err
	}
	d.owners.changed()
	// The library first: a power cut between the two leaves the version in both, not in none.
	late := errors.Join(d.sync(), d.history.Sync(name))
	d.history.Tidy(name)
	i, _, err := statFile(int(f.Fd()), name)
	d.versions.note(i)
	c.After = i.public()
	return c, uncertain("published", errors.Join(vfs.SystemError("fsync", late), vfs.SystemError("fstat", err)))
}

// restore renames a version to its name.
func (d *Dir) restore(v history.Version, replace bool, was *kept) (vfs.Info, error) {
	release, err := d.instance().holdNames()
	if err != nil {
		return vfs.Info{}, err
	}
	defer release()
	if v, err = d.findVersion(v.Name, v.ID); err != nil {
		return vfs.Info{}, err
	}
	now, err := d.checkTarget(v.Name, replace)
	if err != nil {
		return vfs.Info{}, err
	}
	if err := was.replacing(now); err != nil {
		return vfs.Info{}, err
	}
	if now.id != (fileID{}) {
		d.versions.note(now)
	}
	if err := d.history.Restore(v, d.fd()); err != nil {
		return vfs.Info{}, noVersion(err)
	}
	was.done(now)
	if v.Links > 1 {
		d.dropTwins(v)
	}
	return was.before(now).orNone(), nil
}

func (d *Dir) findVersion(name, id string) (history.Version, error) {
	versions, err := d.versionsOf(name)
	n := slices.IndexFunc(versions, func(v history.Version) bool { return v.ID == id })
	if err == nil && (n < 0 || !d.isServed(versions[n])) {
		err = unix.ENOENT
	}
	if err != nil {
		return history.Version{}, noVersion(err)
	}
	return d.history.Find(name, id)
}

// noVersion is the error for a version that is not there, or nil.
func noVersion(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return &vfs.Error{Kind: fs.ErrNotExist, Why: "no such version is kept"}
	}
	return vfs.SystemError("restore", err)
}
