package local

import (
	"errors"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/history"
)

// The file that an upload is about to replace gets a second name, in the history,
// before the lock of names is taken: that name has to be on disk first, which takes a
// sync. Under the lock it is seen whether that still is the file. The rename then takes
// its first name. A crash between the two leaves the file with both: it is published,
// and what is left in the history is no version. Nobody is shown it, and a sweep
// removes it. Two who are about to replace a file give it two names in the history:
// who does it removes the other's.
//
// Where links can't be made, no file is replaced whose version must be kept.

// kept is a file that is about to be replaced, and kept. A nil *kept keeps nothing.
type kept struct {
	d        *Dir
	name     string
	first    info            // as it was before it got its second name
	second   history.Version // that name, in the history; zero is none
	replaced bool            // it has lost its first one
	spared   bool            // there is no room for it: it is not kept
}

// keepOld begins to keep the file that has a name, for a change that will replace it.
// The caller has it end.
func (d *Dir) keepOld(name string, replace bool) (*kept, error) {
	if !replace || d.o.now().Versions.PerName == 0 {
		return nil, nil
	}
	return d.keepAlways(name)
}

func (d *Dir) keepAlways(name string) (*kept, error) {
	k := &kept{d: d, name: name}
	i, regular, err := d.look(name)
	if err != nil || !regular {
		return k, nil // what is wrong with it is said by who looks under the lock
	}
	return k, k.link(i)
}

// link gives the file its second name.
func (k *kept) link(i info) error {
	v, err := k.d.history.Link(k.d.fd(), k.name)
	if errors.Is(err, unix.ENOENT) {
		return nil // it has gone: then there is nothing to keep
	}
	if err != nil {
		const why = "the server cannot keep the version that would be replaced, so it is not replaced"
		return &vfs.Error{Kind: vfs.ErrIO, Why: why, Err: err}
	}
	k.first, k.second = i, v
	if (fileID{v.Dev, v.Ino}) != i.id {
		return k.unlink() // another has taken its place meanwhile
	}
	return nil
}

func (k *kept) unlink() error {
	v := k.second
	k.second = history.Version{}
	if v.ID == "" {
		return nil
	}
	_, err := k.d.history.Drop(v)
	k.d.history.Tidy(k.name)
	return vfs.SystemError("take a link back", err)
}

// Keeps tells whether the file stays on the disk when it is replaced.
func (k *kept) Keeps() bool { return k != nil && !k.spared }

// Spare is told that there is no room for it.
func (k *kept) Spare() error {
	if k == nil {
		return nil
	}
	k.spared = true
	k.d.o.now().Log.Info("a version is not kept: the quota has no room for it", "name", k.name)
	return k.unlink()
}

// replacing is called with the lock of names held, when now is about to be replaced.
func (k *kept) replacing(now info) error {
	if !k.Keeps() || now.id == (fileID{}) {
		return nil
	}
	if k.second.ID == "" || !k.isStill(now) {
		// Another was published meanwhile, which is rare: so the sync is made here.
		if err := errors.Join(k.unlink(), k.link(now)); err != nil {
			return err
		}
		if k.second.ID == "" {
			return errReplaced // by who does not know the lock
		}
	}
	return nil
}

// before describes what the change replaces, as it was published: a second name changes
// its ctime, and so its version.
func (k *kept) before(now info) info {
	if k == nil || now.id != k.first.id || now.mode != k.first.mode || !now.mtime.Equal(k.first.mtime) {
		return now
	}
	return k.first
}

// done is called when now was replaced.
func (k *kept) done(now info) {
	if !k.Keeps() || now.id == (fileID{}) {
		return
	}
	const own = 2 // links: its names in the library and here
	if k.replaced = true; k.second.Links > own {
		k.d.dropTwins(k.second)
	}
}

// dropTwins removes other names that a version, or what was one, has in the history.
// The lock of names is held.
func (d *Dir) dropTwins(of history.Version) {
	versions, err := d.history.Of(of.Name)
	for _, v := range versions {
		if v.ID != of.ID && v.Dev == of.Dev && v.Ino == of.Ino {
			_, failed := d.history.Drop(v)
			err = errors.Join(err, failed)
		}
	}
	if err != nil {
		d.o.now().Log.Warn("a version is kept twice until the next sweep", "name", of.Name, "err", err)
	}
}

// isStill tells whether the second name stands for a file. A sweep may have removed it.
func (k *kept) isStill(i info) bool {
	v, err := k.d.history.Find(k.name, k.second.ID)
	if err != nil || (fileID{v.Dev, v.Ino}) != i.id {
		return false
	}
	k.second = v
	return true
}

// end is called when the change has ended. What was not replaced has only its first
// name again.
func (k *kept) end() {
	if k == nil {
		return
	}
	if !k.replaced {
		if err := k.unlink(); err != nil {
			k.d.o.now().Log.Warn("what was not replaced is kept twice until the next sweep", "name", k.name, "err", err)
		}
		return
	}
	k.d.trim(k.name)
}
