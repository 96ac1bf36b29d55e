package library

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
	"shelf/vfs"
)

// Expired is a file that was removed since it was old, or could not be.
type Expired struct {
	Library string
	Account string // whose library it is; "" is that it is for all
	File    vfs.Info
	Durable bool // it does not come back after a power cut
	Err     error
}

// Expire removes what has expired, until ctx ends. It goes through all libraries, also
// those of accounts that nobody uses now, and removes their versions that are too old. Nothing is removed unless ready is nil, and told is told of each file. Several
// servers may do this for one library: of a file one of them alone removes it, and a bucket is gone
// through by one of them at a time.
func (s *Set) Expire(ctx context.Context, ready func() error, told func(Expired) error) {
	e := &expiring{set: s, ready: ready, told: told, last: make(map[string]time.Time)}
	tick := time.NewTicker(expireTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			e.round(ctx, now)
		}
	}
}

// expireTick is how often it is seen whether a library is due.
const expireTick = time.Second

// expiring is what Expire remembers.
type expiring struct {
	set   *Set
	ready func() error
	told  func(Expired) error
	last  map[string]time.Time // when a library was gone through, by its name
}

// every is how often a library is gone through in which files stay so long: a file
// stays a hundredth longer than it must, or an hour.
func every(stay time.Duration) time.Duration {
	return min(max(stay/100, expireTick), time.Hour)
}

func (e *expiring) round(ctx context.Context, now time.Time) {
	e.set.mu.Lock()
	all := e.set.settings.AllLibraries()
	e.set.mu.Unlock()
	for name, l := range all {
		stay := stayOf(l)
		if stay == 0 || now.Sub(e.last[name]) < every(stay) || ctx.Err() != nil {
			continue
		}
		e.last[name] = now
		if err := e.through(ctx, name, l, now); err != nil && ctx.Err() == nil {
			e.set.log.Warn("files that have expired could not be removed", "library", name, "err", err)
		}
	}
}

// expire tells whether the files of a library go after so long, as it is set now.
func (s *Set) expire(name string, after time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.settings.AllLibraries()[name]
	return ok && l.ExpireAfter.Duration == after && !vfs.Hold(*l.Hold).Counts(time.Now())
}

// stayOf is after what time there may be something to remove; 0 is never.
func stayOf(l config.Library) time.Duration {
	stay := l.ExpireAfter.Duration
	if !PerAccount(l.Where()) {
		return stay
	}
	versions := l.KeepVersionsFor.Duration
	if versions == 0 && l.Bucket != "" && *l.KeepVersions > 0 {
		versions = uncounted // in a folder those that are too many go at once
	}
	if versions > 0 && (stay == 0 || versions < stay) {
		return versions
	}
	return stay
}

// uncounted is a time after which a library is gone through as seldom as any.
const uncounted = 365 * 24 * time.Hour

// through goes through a library, or through those of all accounts.
func (e *expiring) through(ctx context.Context, name string, l config.Library, now time.Time) error {
	accounts, err := e.accounts(ctx, l)
	if err != nil {
		return err
	}
	var failed error
	for _, account := range accounts {
		from := Source{e.set, name, keys.ExpandUser(l.Where(), account)}
		if !from.Exists() {
			continue // it is not made for this
		}
		err := e.one(ctx, from, account, l, now)
		failed = errors.Join(failed, err)
		if l.Bucket != "" && errors.Is(err, vfs.ErrUnavailable) {
			break // the store is away: each account would take long to find that out
		}
	}
	return failed
}

// accounts are those that have a library of their own; "" is that it is for all.
func (e *expiring) accounts(ctx context.Context, l config.Library) ([]string, error) {
	switch {
	case !PerAccount(l.Where()):
		return []string{""}, nil
	case l.Bucket != "":
		e.set.mu.Lock()
		settings := e.set.settings
		e.set.mu.Unlock()
		return accountsInBucket(ctx, settings, l, e.set.log)
	}
	return accountsBelow(l.Path)
}

func (e *expiring) one(ctx context.Context, from Source, account string, l config.Library, now time.Time) error {
	used := e.set.uses(from.path)
	library, release, err := from.Open(ctx)
	switch {
	case errors.Is(err, vfs.ErrUnavailable):
		return err
	case err != nil:
		return nil // whoever tends it says why
	}
	defer func() {
		if release(); !used {
			e.set.closeUnused(from.path) // those of many accounts would be open at a time
		}
	}()
	if d, ok := vfs.As[vfs.Duties](library); ok {
		mine, err := d.TakeOn(ctx, "expiry", every(stayOf(l))/2)
		if err != nil || !mine {
			return err // another server has done it just now
		}
	}
	var swept error // which keeps no file
	if h, ok := vfs.As[vfs.History](library); ok && !used {
		swept = h.Sweep(ctx)
	}
	x, ok := vfs.As[vfs.Expiry](library)
	if !ok || l.ExpireAfter.Duration == 0 {
		return swept
	}
	one := Expired{Library: from.name, Account: account, Durable: library.Properties().Durable}
	return errors.Join(swept, e.files(ctx, x, l.ExpireAfter.Duration, now, one))
}

// files removes those of a library that were published so long ago, and tells of each as of
// one. It may take hours: as soon as the settings are others it ends.
func (e *expiring) files(ctx context.Context, x vfs.Expiry, after time.Duration, now time.Time, one Expired) error {
	for i, err := range x.Expired(ctx, now.Add(-after)) {
		if err != nil {
			return err
		}
		if !e.set.expire(one.Library, after) {
			return nil
		}
		if err := e.ready(); err != nil {
			return nil // who records events has logged why
		}
		one.File, one.Err = i, x.RemoveVersion(ctx, i.Name, i.Version)
		if errors.Is(one.Err, fs.ErrNotExist) {
			continue // it was replaced, or another server was faster
		}
		if err := errors.Join(e.told(one), one.Err); err != nil {
			return err
		}
	}
	return nil
}
