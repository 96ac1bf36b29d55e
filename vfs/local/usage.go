package local

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"shelf/vfs"
)

// usage is the ledger of a library with a limit: how many bytes and files it holds.
// All that makes it grow is charged here before it happens: a write, a new size, a
// copy, a partial that is gone on with. An upload is charged what its file will be,
// less the file that it replaces, and gets back what it does not need. What other
// instances hold is in it, too: all that grows is charged under their common lock.
//
// Files that others put into the folder are seen when it is counted: at the first
// upload, before an upload is refused and when it is asked what is left, at most
// once a minute.
type usage struct {
	limit atomic.Pointer[amount] // of each, 0 is no limit; without any only pledges are counted
	count func() (amount, error)

	// dropOldest removes old versions, of which uploads take the room: as many as are
	// wanted, or none if that is less than is needed.
	dropOldest func(need, want amount) (freed amount, err error)

	mu       sync.Mutex // guards what follows, and is held while a file is replaced; taken after stages.lock
	shared   *ledger    // nil while the library is being opened
	used     amount     // files, stages of this instance and partials; see ledger for the others
	pledged  amount     // what of used uploads hold
	found    amount     // used when it was counted, without what was pledged
	before   amount     // what this instance had added when it was counted
	replaced map[fileID]bool
	counted  time.Time
}

// amount is what files take.
type amount struct{ bytes, files int64 }

// minCost is what the smallest file costs, in bytes: a block of the disk.
const minCost = 4 << 10

// costOf is what a file costs.
func costOf(size int64) amount { return amount{max(size, minCost), 1} }

func (a amount) plus(b amount) amount  { return amount{a.bytes + b.bytes, a.files + b.files} }
func (a amount) minus(b amount) amount { return amount{a.bytes - b.bytes, a.files - b.files} }

// orNothing is the amount without what is negative of it.
func (a amount) orNothing() amount { return amount{max(0, a.bytes), max(0, a.files)} }

// recount is how old a count may be when an upload is refused.
const recount = time.Minute

// setLimit sets other limits. What is used is counted anew.
func (u *usage) setLimit(l amount) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if was := u.limit.Swap(&l); was == nil || *was != l {
		u.counted = time.Time{}
	}
}

func (u *usage) counts() bool { return *u.limit.Load() != amount{} }

// share has the other instances be asked and told; nil ends that.
func (u *usage) share(l *ledger) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.shared != nil {
		u.shared.close()
	}
	u.shared, u.counted = l, time.Time{}
}

// lock is held while something grows that is limited.
func (u *usage) lock() (release func(), err error) {
	if u.counts() {
		u.mu.Lock()
		shared := u.shared
		u.mu.Unlock()
		return shared.s.holdLock()
	}
	return func() {}, nil
}

// tell has the other instances know what this one holds; mu is held.
func (u *usage) tell() error {
	if u.shared == nil || !u.counts() {
		return nil
	}
	return u.shared.tell(share{u.pledged, u.net()})
}

// net is what files and partials have become more by this instance; mu is held.
func (u *usage) net() amount { return u.before.plus(u.used).minus(u.pledged).minus(u.found) }

// hold changes what an upload holds from old to want, or refuses that.
func (u *usage) hold(old, want amount) error {
	more := want.minus(old)
	if more.orNothing() != (amount{}) {
		release, err := u.lock()
		if err != nil {
			return err
		}
		defer release()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.counts() {
		if err := u.allow(more); err != nil {
			return err
		}
	}
	u.used, u.pledged = u.used.plus(more), u.pledged.plus(more)
	return u.tell()
}

// allow refuses what passes a limit; mu and the lock are held. What makes nothing
// larger is never refused.
func (u *usage) allow(more amount) error {
	if more.orNothing() == (amount{}) {
		return nil
	}
	if err := u.ask(); err != nil {
		return err
	}
	if u.refusal(more) != nil || u.counted.IsZero() {
		if err := u.refresh(); err != nil {
			return err
		}
	}
	if u.refusal(more) != nil {
		if err := u.reclaim(more); err != nil {
			return err
		}
	}
	return u.refusal(more)
}

// reclaim has old versions make room for more, and for some more than that: each time
// all versions are looked at. mu and the lock are held.
func (u *usage) reclaim(more amount) error {
	const part = 64 // of the limit
	limit := u.limit.Load()
	left := limit.minus(u.all())
	var need, want amount
	if limit.bytes > 0 && more.bytes > max(0, left.bytes) {
		need.bytes = more.bytes - left.bytes
		want.bytes = need.bytes + limit.bytes/part
	}
	if limit.files > 0 && more.files > max(0, left.files) {
		need.files = more.files - left.files
		want.files = need.files + limit.files/part
	}
	freed, err := u.dropOldest(need, want)
	u.used = u.used.minus(freed)
	return errors.Join(err, u.tell())
}

// ask finds out what the other instances hold; mu and the lock are held.
func (u *usage) ask() error {
	gone, err := u.shared.ask()
	if gone {
		u.counted = time.Time{}
	}
	return err
}

// all is what the library holds, with what other instances do; mu is held.
func (u *usage) all() amount {
	if u.shared == nil {
		return u.used
	}
	return u.used.plus(u.shared.sum)
}

func (u *usage) refusal(more amount) error {
	limit, used := u.limit.Load(), u.all()
	switch {
	case limit.bytes > 0 && more.bytes > 0 && more.bytes > limit.bytes-used.bytes:
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the library's quota is used up"}
	case limit.files > 0 && more.files > 0 && more.files > limit.files-used.files:
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the library has as many files as it may have"}
	}
	return nil
}

// makeRoom has old versions give the disk room for more.
func (u *usage) makeRoom(more amount) error {
	release, err := u.lock()
	if err != nil {
		return err
	}
	defer release()
	u.mu.Lock()
	defer u.mu.Unlock()
	freed, err := u.dropOldest(more, more)
	if u.counts() {
		u.used = u.used.minus(freed)
	}
	return errors.Join(err, u.tell())
}

// left is how much can still be charged, of what is limited.
func (u *usage) left() (amount, error) {
	release, err := u.lock()
	if err != nil {
		return amount{}, err
	}
	defer release()
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := errors.Join(u.ask(), u.refresh()); err != nil {
		return amount{}, err
	}
	return u.limit.Load().minus(u.all()).orNothing(), nil
}

// refresh counts anew unless that was done lately; mu and the lock are held.
func (u *usage) refresh() error {
	if time.Since(u.counted) < recount {
		return nil
	}
	found, err := u.count()
	if err != nil {
		return err
	}
	u.before = u.net()
	u.used, u.found, u.counted = found.plus(u.pledged), found, time.Now()
	return errors.Join(u.shared.counted(), u.tell())
}

// credit is what an upload need not be charged, since its file will take the place
// of one that is counted. Of several uploads over one file the first has it: while
// they go on there are as many files on the disk.
func (u *usage) credit(i info) (amount, bool) {
	if !u.counts() {
		return amount{}, false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.replaced[i.id] {
		return amount{}, false
	}
	if u.replaced == nil {
		u.replaced = make(map[fileID]bool)
	}
	u.replaced[i.id] = true
	return costOf(i.size), true
}

// returnCredit lets another upload have the credit of a file.
func (u *usage) returnCredit(id fileID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.replaced, id)
}

// resume is told that an upload holds what was a partial, which is counted already;
// the lock is held.
func (u *usage) resume(held amount) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pledged = u.pledged.plus(held)
	u.tell() // if it fails, the next charge will
}

// settle turns what an upload holds into a partial of size bytes; the lock is held.
func (u *usage) settle(held amount, size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used, u.pledged = u.used.plus(costOf(size)).minus(held), u.pledged.minus(held)
	u.tell() // if it fails, the next charge will
}

// removed is told that a partial of size bytes has gone; the lock is held.
func (u *usage) removed(size int64) {
	if !u.counts() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used = u.used.minus(costOf(size))
	u.tell() // if it fails, the next charge will
}

// replacing runs do, which removes or replaces the file of that name, and takes
// that off unless it is kept.
func (u *usage) replacing(d *Dir, name string, was keeping, do func() error) error {
	return u.publishing(d, name, amount{}, amount{}, was, do)
}

// keeping is about a file that is replaced: whether it is kept, unless it is told that
// there is no room for that.
type keeping interface {
	keeps() bool
	spare() error
}

// publishing runs do, which puts a file of this cost, of which held is charged, in
// the place of the one of that name, which is kept where there is room for both. It
// is refused if it takes more than there is: the file that the upload had the credit of
// may have gone.
func (u *usage) publishing(d *Dir, name string, held, cost amount, was keeping, do func() error) error {
	if !u.counts() {
		err := do()
		if err == nil {
			u.published(held)
		}
		return err
	}
	release, err := u.lock()
	if err != nil {
		return err
	}
	defer release()
	u.mu.Lock()
	defer u.mu.Unlock()
	more := cost.minus(held)
	if old, err := d.stat(name); err == nil {
		if was.keeps() && u.allow(more) != nil {
			if err := was.spare(); err != nil {
				return err
			}
		}
		if !was.keeps() {
			more = more.minus(costOf(old.size))
		}
	}
	if err := u.allow(more); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	u.used, u.pledged = u.used.plus(more), u.pledged.minus(held)
	u.tell() // it is done: if this fails, the next charge will
	return nil
}

// published is told that an upload holds nothing any more.
func (u *usage) published(held amount) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pledged = u.pledged.minus(held)
}

// Usage implements [vfs.Usage].
func (d *Dir) Usage(context.Context) (vfs.UsageInfo, error) {
	u := d.usage
	u.mu.Lock()
	pledged, err := u.pledged, u.ask()
	for _, other := range u.shared.last {
		pledged = pledged.plus(other.pledged)
	}
	u.mu.Unlock()
	if err != nil {
		return vfs.UsageInfo{}, err
	}
	found, err := d.count() // without the lock: uploads need not wait for it
	found = found.plus(pledged)
	return vfs.UsageInfo{Bytes: found.bytes, Files: found.files}, err
}

// Charged implements [vfs.Usage].
func (d *Dir) Charged() (held vfs.UsageInfo, ok bool) {
	u := d.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	held = vfs.UsageInfo{Bytes: u.all().bytes, Files: u.all().files}
	return held, u.counts() && !u.counted.IsZero()
}

// count adds up the library's files and partials. Stages of open uploads are
// charged as they grow.
func (d *Dir) count() (all amount, err error) {
	for i, err := range d.List(context.Background()) {
		if err != nil {
			return all, err
		}
		all = all.plus(costOf(i.Size))
	}
	for name, err := range folderNames(d.instance().partialFd()) {
		if err != nil {
			return all, vfs.SystemError("count", err)
		}
		if i, err := d.instance().statPartial(name); err == nil {
			all = all.plus(costOf(i.size))
		}
	}
	versions, err := d.allVersions()
	for _, v := range versions {
		all = all.plus(costOf(v.Size))
	}
	return all, err
}
