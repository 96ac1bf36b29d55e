// Package quota is how much a library in a folder may hold: bytes and files, of all
// servers of the folder together.
//
//	quota.go   Quota: what is charged before something grows, or refused
//	change.go  what publishing, replacing and removing a file does to that
//	count.go   what is there is counted anew; old versions make room
//	shares.go  what several servers tell each other
//	amount.go  bytes and files, and what a file costs
package quota

import (
	"sync"
	"sync/atomic"
	"time"

	"shelf/vfs"
)

// Quota is the ledger of a library with a limit: how many bytes and files it holds.
// All that makes it grow is charged here before it happens: a write, a new size, a
// copy, a partial that is gone on with. An upload is charged what its file will be,
// less the file that it replaces, and gets back what it does not need. What other
// servers hold is in it, too: all that grows is charged under their common lock.
//
// Files that others put into the folder are seen when it is counted: at the first
// upload, before an upload is refused and when it is asked what is left, at most
// once a minute. It is safe for concurrent use.
type Quota struct {
	library Library
	limit   atomic.Pointer[Amount] // of each, 0 is no limit; without any only pledges are counted

	mu       sync.Mutex // guards what follows, and is held while a file is replaced; taken after the lock of the servers
	shared   *shares    // nil while the library is being opened
	used     Amount     // files, stages of this server and partials; see shares for the others
	pledged  Amount     // what of used uploads hold
	found    Amount     // used when it was counted, without what was pledged
	before   Amount     // what this server had added when it was counted
	replaced map[File]bool
	counted  time.Time
}

// Library is what a Quota asks the library, and has it do.
type Library struct {
	// Count adds up its files, partials and versions.
	Count func() (Amount, error)
	// DropOldest removes old versions, of which uploads take the room: as many as are
	// wanted, or none if that is less than is needed.
	DropOldest func(need, want Amount) (freed Amount, err error)
	// Size is the size in bytes of the file that has a name.
	Size func(name string) (int64, error)
}

// File tells the files of a library apart that exist at the same time.
type File any

// New is the Quota of a library. Before it is used it gets a limit.
func New(l Library) *Quota { return &Quota{library: l} }

// SetLimit sets other limits. What is used is counted anew.
func (q *Quota) SetLimit(l Amount) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if was := q.limit.Swap(&l); was == nil || *was != l {
		q.counted = time.Time{}
	}
}

// Counts tells whether there is a limit.
func (q *Quota) Counts() bool { return *q.limit.Load() != Amount{} }

// Lock is held while something grows that is limited.
func (q *Quota) Lock() (release func(), err error) {
	if q.Counts() {
		q.mu.Lock()
		shared := q.shared
		q.mu.Unlock()
		return shared.servers.Lock()
	}
	return func() {}, nil
}

// lockAll takes the lock and mu, until end is called.
func (q *Quota) lockAll() (end func(), err error) {
	release, err := q.Lock()
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	return func() { q.mu.Unlock(); release() }, nil
}

// Hold changes what an upload holds from old to want, or refuses that. Less is never
// refused.
func (q *Quota) Hold(old, want Amount) error {
	more := want.Minus(old)
	if more.OrNothing() != (Amount{}) {
		release, err := q.Lock()
		if err != nil {
			return err
		}
		defer release()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.Counts() {
		if err := q.allow(more); err != nil {
			return err
		}
	}
	q.used, q.pledged = q.used.Plus(more), q.pledged.Plus(more)
	return q.tell()
}

// allow refuses what passes a limit; mu and the lock are held. What makes nothing
// larger is never refused.
func (q *Quota) allow(more Amount) error {
	if more.OrNothing() == (Amount{}) {
		return nil
	}
	if err := q.ask(); err != nil {
		return err
	}
	if q.refusal(more) != nil || q.counted.IsZero() {
		if err := q.refresh(); err != nil {
			return err
		}
	}
	if q.refusal(more) != nil {
		if err := q.reclaim(more); err != nil {
			return err
		}
	}
	return q.refusal(more)
}

func (q *Quota) refusal(more Amount) error {
	limit, used := q.limit.Load(), q.all()
	switch {
	case limit.Bytes > 0 && more.Bytes > 0 && more.Bytes > limit.Bytes-used.Bytes:
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the library's quota is used up"}
	case limit.Files > 0 && more.Files > 0 && more.Files > limit.Files-used.Files:
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the library has as many files as it may have"}
	}
	return nil
}

// all is what the library holds, with what other servers do; mu is held.
func (q *Quota) all() Amount {
	if q.shared == nil {
		return q.used
	}
	return q.used.Plus(q.shared.sum)
}

// Credit is what an upload need not be charged, since its file will take the place
// of f, which is counted. Of several uploads over one file the first has it: while
// they go on there are as many files on the disk.
func (q *Quota) Credit(f File, size int64) (Amount, bool) {
	if !q.Counts() {
		return Amount{}, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.replaced[f] {
		return Amount{}, false
	}
	if q.replaced == nil {
		q.replaced = make(map[File]bool)
	}
	q.replaced[f] = true
	return CostOf(size), true
}

// ReturnCredit lets another upload have the credit of a file.
func (q *Quota) ReturnCredit(f File) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.replaced, f)
}

// Resume is told that an upload holds what was a partial, which is counted already;
// the lock is held.
func (q *Quota) Resume(held Amount) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pledged = q.pledged.Plus(held)
	q.tell() // if it fails, the next charge will
}

// Settle turns what an upload holds into a partial of size bytes; the lock is held.
func (q *Quota) Settle(held Amount, size int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used, q.pledged = q.used.Plus(CostOf(size)).Minus(held), q.pledged.Minus(held)
	q.tell() // if it fails, the next charge will
}

// Removed is told that a partial or a version of size bytes has gone; the lock is held.
func (q *Quota) Removed(size int64) {
	if !q.Counts() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used = q.used.Minus(CostOf(size))
	q.tell() // if it fails, the next charge will
}

// Charged is what the library holds; known is false if there is no limit, or it was
// not counted yet.
func (q *Quota) Charged() (held Amount, known bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all(), q.Counts() && !q.counted.IsZero()
}
