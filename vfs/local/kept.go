package local

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/history"
)

// VersionRules says which versions are kept of what was replaced or removed.
type VersionRules struct {
	PerName int           // the oldest goes first; with 0 no new ones are kept
	MaxAge  time.Duration // since it was replaced or removed; 0 is no limit
}

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

// keeps tells whether the file stays on the disk when it is replaced.
func (k *kept) keeps() bool { return k != nil && !k.spared }

// spare is told that there is no room for it.
func (k *kept) spare() error {
	if k == nil {
		return nil
	}
	k.spared = true
	k.d.o.now().Log.Info("a version is not kept: the quota has no room for it", "name", k.name)
	return k.unlink()
}

// replacing is called with the lock of names held, when now is about to be replaced.
func (k *kept) replacing(now info) error {
	if !k.keeps() || now.id == (fileID{}) {
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
	if !k.keeps() || now.id == (fileID{}) {
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

// trim removes the versions of a name that are too many, or too old.
func (d *Dir) trim(name string) {
	rules, now := d.o.now(), time.Now()
	if rules.Hold.Counts(now) {
		return
	}
	versions, err := d.versionsOf(name)
	spare := 0
	if rules.Versions.PerName > 0 {
		spare = len(versions) - rules.Versions.PerName
	}
	for n, v := range versions {
		if n < spare || rules.Versions.MaxAge > 0 && now.Sub(v.Kept) > rules.Versions.MaxAge {
			err = errors.Join(err, d.dropVersion(v))
		}
	}
	if err != nil {
		rules.Log.Warn("old versions could not be removed", "name", name, "err", err)
	}
}

// dropVersion removes a version, and gives back what it was charged.
func (d *Dir) dropVersion(v history.Version) error {
	release, err := d.usage.lock()
	if err != nil {
		return err
	}
	defer release()
	done, err := d.history.Drop(v)
	if done {
		d.usage.removed(v.Size)
		d.history.Tidy(v.Name)
	}
	return err
}

// versionsOf lists the versions of a name, the oldest first: without the file that has
// the name, and each once. Of their links those remain that are not in the history.
func (d *Dir) versionsOf(name string) (all []history.Version, err error) {
	found, err := d.history.Of(name)
	if !slices.ContainsFunc(found, func(v history.Version) bool { return v.Links > 1 }) {
		return found, err
	}
	published, _, _ := statAt(d.fd(), name)
	for _, v := range found {
		twin := func(other history.Version) bool { return other.Dev == v.Dev && other.Ino == v.Ino }
		if n := slices.IndexFunc(all, twin); n >= 0 {
			all[n].Links--
		} else if published.id != (fileID{v.Dev, v.Ino}) {
			all = append(all, v)
		}
	}
	return all, err
}

// dropOldest removes versions, the oldest first, until that has freed what is wanted,
// and tells what it has freed. If all of them are less than what is needed none goes:
// it would be for nothing. The lock of limits is held.
func (d *Dir) dropOldest(need, want amount) (freed amount, err error) {
	if d.o.now().Hold.Counts(time.Now()) {
		return freed, nil
	}
	all, err := d.allVersions()
	if err != nil {
		return freed, err
	}
	var there amount
	for _, v := range all {
		there = there.plus(costOf(v.Size))
	}
	if need.minus(there).orNothing() != (amount{}) {
		return freed, nil
	}
	slices.SortFunc(all, history.Older)
	for _, v := range all {
		if want.minus(freed).orNothing() == (amount{}) {
			break
		}
		done, err := d.history.Drop(v)
		if err != nil {
			return freed, vfs.SystemError("remove a version", err)
		}
		if done {
			freed = freed.plus(costOf(v.Size))
			d.history.Tidy(v.Name)
		}
	}
	return freed, nil
}

// droppable is what dropOldest could free.
func (d *Dir) droppable() (there amount, err error) {
	if d.o.now().Hold.Counts(time.Now()) {
		return there, nil
	}
	all, err := d.allVersions()
	for _, v := range all {
		there = there.plus(costOf(v.Size))
	}
	return there, err
}

// allVersions lists the versions of all names.
func (d *Dir) allVersions() (all []history.Version, err error) {
	for name, err := range d.history.Names() {
		var versions []history.Version
		if err == nil {
			versions, err = d.versionsOf(name)
		}
		if err != nil {
			return all, vfs.SystemError("list the versions", err)
		}
		all = append(all, versions...)
	}
	return all, nil
}

// Sweep implements [vfs.History]. It removes what a crash has left, too.
func (d *Dir) Sweep(ctx context.Context) error {
	for name, err := range d.history.Names() {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if vfs.CheckName(name) != nil {
			continue // not ours
		}
		if err := d.dropLeftovers(name); err != nil {
			return err
		}
		d.trim(name)
		d.history.Tidy(name)
	}
	return nil
}

// dropLeftovers removes second names of the file that is published, and of versions. Under the lock no
// change is between its two steps that could need one, but one that looks again.
func (d *Dir) dropLeftovers(name string) error {
	release, err := d.instance().holdNames()
	if err != nil {
		return err
	}
	defer release()
	found, err := d.history.Of(name)
	if err != nil || !slices.ContainsFunc(found, func(v history.Version) bool { return v.Links > 1 }) {
		return err
	}
	versions, err := d.versionsOf(name)
	for _, v := range found {
		if err != nil || slices.ContainsFunc(versions, func(is history.Version) bool { return is.ID == v.ID }) {
			continue
		}
		_, err = d.history.Drop(v)
	}
	return err
}

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

// isForeign tells of a regular file of the library whether it may be one from
// elsewhere on the disk. A name in the history is none elsewhere.
func (d *Dir) isForeign(i info) bool {
	if !d.o.now().isForeign(i) {
		return false
	}
	i.links -= d.secondNames(i)
	return d.o.now().isForeign(i)
}

// secondNames is how many names a file of the library has in the history.
func (d *Dir) secondNames(i info) (n uint64) {
	versions, err := d.history.Of(i.name)
	for _, v := range versions {
		if err == nil && i.id == (fileID{v.Dev, v.Ino}) {
			n++
		}
	}
	return n
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
	if err := d.usage.replacing(d, name, was, restore); err != nil {
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

// sweepEvery is how often an instance looks for versions that are too old.
func (r VersionRules) sweepEvery() time.Duration {
	const most, least = 10 * time.Minute, time.Second
	return max(least, min(most, cmp.Or(r.MaxAge, most)/10))
}
