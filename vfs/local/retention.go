package local

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"shelf/vfs"
	"shelf/vfs/local/history"
	"shelf/vfs/local/quota"
)

// VersionRules says which versions are kept of what was replaced or removed.
type VersionRules struct {
	PerName int           // the oldest goes first; with 0 no new ones are kept
	MaxAge  time.Duration // since it was replaced or removed; 0 is no limit
}

// sweepEvery is how often an instance looks for versions that are too old.
func (r VersionRules) sweepEvery() time.Duration {
	const most, least = 10 * time.Minute, time.Second
	return max(least, min(most, cmp.Or(r.MaxAge, most)/10))
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
	release, err := d.quota.Lock()
	if err != nil {
		return err
	}
	defer release()
	done, err := d.history.Drop(v)
	if done {
		d.quota.Removed(v.Size)
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

// dropOldest removes versions, the oldest first, until that has freed what is wanted,
// and tells what it has freed. If all of them are less than what is needed none goes:
// it would be for nothing. The lock of limits is held.
func (d *Dir) dropOldest(need, want quota.Amount) (freed quota.Amount, err error) {
	if d.o.now().Hold.Counts(time.Now()) {
		return freed, nil
	}
	all, err := d.allVersions()
	if err != nil {
		return freed, err
	}
	var there quota.Amount
	for _, v := range all {
		there = there.Plus(quota.CostOf(v.Size))
	}
	if need.Minus(there).OrNothing() != (quota.Amount{}) {
		return freed, nil
	}
	slices.SortFunc(all, history.Older)
	for _, v := range all {
		if want.Minus(freed).OrNothing() == (quota.Amount{}) {
			break
		}
		done, err := d.history.Drop(v)
		if err != nil {
			return freed, vfs.SystemError("remove a version", err)
		}
		if done {
			freed = freed.Plus(quota.CostOf(v.Size))
			d.history.Tidy(v.Name)
		}
	}
	return freed, nil
}

// droppable is what dropOldest could free.
func (d *Dir) droppable() (there quota.Amount, err error) {
	if d.o.now().Hold.Counts(time.Now()) {
		return there, nil
	}
	all, err := d.allVersions()
	for _, v := range all {
		there = there.Plus(quota.CostOf(v.Size))
	}
	return there, err
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
