package held

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"shelf/cmd/shelfd/quarantine"
	"shelf/vfs"
)

// Held describes what an account has under a name: the last of several.
func (q *Queue) Held(library, account, name string) (vfs.Info, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.newest(library, account, name)()
	if e == nil {
		return vfs.Info{}, vfs.NotExist()
	}
	return infoOf(e.item), nil
}

// Waits tells whether an upload waits that is to be published under a name of the library
// of an account, whoever has uploaded it.
func (q *Queue) Waits(library, account, name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.names[named{library, name}], func(e *entry) bool { return !e.item.Held.Own || e.item.Account == account })
}

// Open opens what an account has under a name.
func (q *Queue) Open(library, account, name string) (vfs.File, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.newest(library, account, name)()
	if e == nil {
		return nil, vfs.NotExist()
	}
	_, f, err := q.o.Folder.Open(e.item.ID)
	if err != nil {
		return nil, vfs.DiskFailed(err)
	}
	return file{f, infoOf(e.item)}, nil
}

// file is an upload that waits, open.
type file struct {
	*os.File
	info vfs.Info
}

// Stat implements [vfs.File].
func (f file) Stat() (vfs.Info, error) { return f.info, nil }

func infoOf(i quarantine.Item) vfs.Info {
	info := vfs.Info{Name: i.Name, Size: i.Size, Mode: vfs.FileMode(i.Held.Mode), ModTime: i.Time, Version: vfs.VersionOf(version{i.ID, i.Held.Set, i.Held.Mtime.UnixNano()})}
	if i.Held.Mode == 0 {
		info.Mode = vfs.FileMode(0o644)
	}
	if i.Held.Set != 0 {
		info.Mode = vfs.FileMode(i.Held.Set)
	}
	if !i.Held.Mtime.IsZero() {
		info.ModTime = i.Held.Mtime
	}
	return info
}

// version is what an upload that waits is known by.
type version struct {
	id    string
	mode  fs.FileMode
	mtime int64
}

// newest finds the last upload of an account under a name; see take.
func (q *Queue) newest(library, account, name string) func() *entry {
	return func() *entry {
		all := q.of(library, account, name)
		if len(all) == 0 {
			return nil
		}
		return all[len(all)-1]
	}
}

// Set changes mode and times of what an account has under a name.
func (q *Queue) Set(ctx context.Context, library, account, name string, a vfs.Attr) error {
	e, err := q.take(ctx, q.newest(library, account, name))
	if err != nil {
		return err
	}
	defer q.give(e)
	next, h := e.item, *e.item.Held
	if a.HasMode {
		h.Set = vfs.FileMode(a.Mode)
	}
	if a.HasTimes {
		h.Atime, h.Mtime = a.Atime, a.Mtime
	}
	next.Held = &h
	return q.write(e, next)
}

// Rename gives it another name, after all that waits under that. What the account had
// under the old name before it is dropped: the name has gone. With replace it may
// replace a file when it is published.
func (q *Queue) Rename(ctx context.Context, library, account, old, new string, replace bool) error {
	e, err := q.take(ctx, q.newest(library, account, old))
	if err != nil {
		return err
	}
	defer q.give(e)
	next, h, before := e.item, *e.item.Held, e.item.Held.Order
	q.mu.Lock()
	taken := !replace && len(q.of(library, account, new)) > 0
	h.Order = q.order()
	q.mu.Unlock()
	if taken {
		return vfs.Exists()
	}
	h.Change, next.Name, next.Held = replace, new, &h
	if err := q.write(e, next); err != nil {
		return err
	}
	q.mu.Lock()
	if e.judging != nil {
		e.judging() // it is judged by its name, too
	}
	e.due, e.tries = next.Time, 0
	q.mu.Unlock()
	if err := q.drop(ctx, library, account, old, before, errOvertaken); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

var (
	errOvertaken = &vfs.Error{Kind: vfs.ErrCut, Why: "not published: a later upload of that name was renamed while this one waited for its verdict"}
	errRemoved   = &vfs.Error{Kind: vfs.ErrCut, Why: "not published: it was removed while it waited for its verdict"}
)

// Drop removes all that an account has under a name.
func (q *Queue) Drop(ctx context.Context, library, account, name string) error {
	q.mu.Lock()
	now := q.order()
	q.mu.Unlock()
	return q.drop(ctx, library, account, name, now, errRemoved)
}

// drop removes what came before. What comes meanwhile stays: its client was told that it
// is kept.
func (q *Queue) drop(ctx context.Context, library, account, name string, before int64, why error) error {
	find := func() *entry {
		all := q.of(library, account, name)
		for n := len(all) - 1; n >= 0; n-- {
			if all[n].item.Held.Order < before {
				return all[n]
			}
		}
		return nil
	}
	for n := 0; ; n++ {
		e, err := q.take(ctx, find)
		if errors.Is(err, fs.ErrNotExist) && n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
		err = q.discard(e, why)
		q.give(e)
		if err != nil {
			return err
		}
	}
}

// discard records that an entry, which the caller has taken, is not published, and
// removes it.
func (q *Queue) discard(e *entry, why error) error {
	if err := q.o.Refused(e.item, vfs.GateHeld, why); err != nil {
		return &vfs.Error{Kind: vfs.ErrUnavailable, Why: "the server cannot record what is done, so nothing is changed"}
	}
	if _, err := q.o.Folder.Drop(e.item.ID); err != nil {
		return vfs.DiskFailed(err)
	}
	q.remove(e)
	return nil
}
