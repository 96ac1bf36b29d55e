package quota

import (
	"errors"
	"time"
)

// Recount is how old a count may be when an upload is refused.
const Recount = time.Minute

// refresh counts anew unless that was done lately; mu and the lock are held.
func (q *Quota) refresh() error {
	if time.Since(q.counted) < Recount {
		return nil
	}
	found, err := q.library.Count()
	if err != nil {
		return err
	}
	q.before = q.net()
	q.used, q.found, q.counted = found.Plus(q.pledged), found, time.Now()
	return errors.Join(q.shared.counted(), q.tell())
}

// Left is how much can still be charged, of what is limited.
func (q *Quota) Left() (Amount, error) {
	end, err := q.lockAll()
	if err != nil {
		return Amount{}, err
	}
	defer end()
	if err := errors.Join(q.ask(), q.refresh()); err != nil {
		return Amount{}, err
	}
	return q.limit.Load().Minus(q.all()).OrNothing(), nil
}

// reclaim has old versions make room for more, and for some more than that: each time
// all versions are looked at. mu and the lock are held.
func (q *Quota) reclaim(more Amount) error {
	const part = 64 // of the limit
	limit := q.limit.Load()
	left := limit.Minus(q.all())
	var need, want Amount
	if limit.Bytes > 0 && more.Bytes > max(0, left.Bytes) {
		need.Bytes = more.Bytes - left.Bytes
		want.Bytes = need.Bytes + limit.Bytes/part
	}
	if limit.Files > 0 && more.Files > max(0, left.Files) {
		need.Files = more.Files - left.Files
		want.Files = need.Files + limit.Files/part
	}
	freed, err := q.library.DropOldest(need, want)
	q.used = q.used.Minus(freed)
	return errors.Join(err, q.tell())
}

// MakeRoom has old versions give the disk room for more.
func (q *Quota) MakeRoom(more Amount) error {
	end, err := q.lockAll()
	if err != nil {
		return err
	}
	defer end()
	freed, err := q.library.DropOldest(more, more)
	if q.Counts() {
		q.used = q.used.Minus(freed)
	}
	return errors.Join(err, q.tell())
}
