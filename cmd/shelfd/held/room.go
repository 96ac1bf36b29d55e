package held

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"shelf/cmd/shelfd/quarantine"
	"shelf/vfs"
)

// maxFiles is how many files of a library may wait.
const maxFiles = 10000

// share is the part of what may wait in a library that one account may have: one of so
// many. So no account keeps all others out.
const share = 2

// Largest is the largest file that may wait, in bytes.
func (r Rules) Largest() int64 { return r.Max / share }

// Hold keeps an upload, of which the item tells all but its id, its order and when it
// came. charged is what its library holds of its limits, with the upload. It waits until
// Begin.
func (q *Queue) Hold(ctx context.Context, i quarantine.Item, from io.Reader, charged vfs.UsageInfo) (id string, err error) {
	i.ID, i.Time = rand.Text(), time.Now().UTC()
	if err := q.reserve(&i, charged); err != nil {
		return "", err
	}
	i, err = q.o.Folder.Add(ctx, i, from)
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.reserved, i.ID)
	if err != nil {
		return "", err
	}
	q.add(&entry{item: i})
	return i.ID, nil
}

// Begin has an upload judged that Hold has kept.
func (q *Queue) Begin(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.all[id]; e != nil {
		e.begun = true
		if q.o.Settles(e.item.Name) {
			e.due = time.Now().Add(q.o.Settling)
		}
	}
	q.poke()
}

// reserve makes room for an item, and gives it its order.
func (q *Queue) reserve(i *quarantine.Item, charged vfs.UsageInfo) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.fits(*i, charged); err != nil {
		return err
	}
	i.Held.Order = q.order()
	q.reserved[i.ID] = *i
	return nil
}

// amount is bytes and files.
type amount struct{ bytes, files int64 }

// fits refuses what there is no room for, or that is to be a new file and is not; mu is
// held.
func (q *Queue) fits(i quarantine.Item, charged vfs.UsageInfo) error {
	taken := false
	var all, mine, limited amount // in the library; of the account; of what the library's limits are held against
	add := func(other quarantine.Item) {
		if other.Library != i.Library {
			return
		}
		all.add(other)
		if other.Account == i.Account {
			mine.add(other)
			taken = taken || other.Name == i.Name && !i.Held.Change
		}
		if !i.Held.Own || other.Account == i.Account {
			limited.add(other)
		}
	}
	for _, e := range q.all {
		add(e.item)
	}
	for _, other := range q.reserved {
		add(other)
	}
	r := q.o.Rules(i.Library)
	switch {
	case taken:
		return vfs.Exists()
	case i.Size > r.Largest():
		return vfs.FileTooLarge(r.Largest())
	case all.bytes+i.Size > r.Max || all.files+1 > maxFiles:
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "too much waits for the verdict of a check; try again later"}
	case mine.bytes+i.Size > r.Largest() || mine.files+1 > maxFiles/share:
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "too much of your account waits for the verdict of a check; try again later"}
	case r.OfAccount > 0 && mine.bytes+i.Size > r.OfAccount:
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "your account's quota is used up, with what waits for the verdict of a check"}
	case r.Quota > 0 && charged.Bytes+limited.bytes > r.Quota, r.Files > 0 && charged.Files+limited.files > r.Files:
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: fmt.Sprintf("the library is full, with %d files that wait for the verdict of a check", limited.files)}
	}
	return nil
}

func (a *amount) add(i quarantine.Item) { a.bytes, a.files = a.bytes+i.Size, a.files+1 }
