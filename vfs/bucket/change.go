package bucket

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"math"
	"strings"
	"time"

	"shelf/vfs"
)

// Remove implements [vfs.Library]. A version that another has taken away meanwhile is not
// the one that this removes: it looks again.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	return b.removeIf(ctx, name, func(*look) bool { return true })
}

func (b *Bucket) removeIf(ctx context.Context, name string, meant func(*look) bool) error {
	for range maxConflicts {
		l, err := b.look(ctx, name)
		if err != nil {
			return err
		}
		if !meant(l) {
			return vfs.NotExist()
		}
		change := b.beginChange(costOf(l.size))
		out := b.removeVersion(ctx, l)
		change.end(out.err == nil)
		switch {
		case out.err == nil:
			b.retire(ctx, l, l.sidecars)
			return nil
		case out.unsure:
			return &vfs.Error{Kind: vfs.ErrUncertain, Why: "the store did not answer; it is not known whether the file was removed", Err: out.err}
		case !isGone(out.err) && !isUnmet(out.err):
			return failure("remove", out.err)
		}
	}
	return errReplaced
}

// removeVersion removes a file if it still is what was looked at. If the answer is lost
// it is looked before it is tried again: what was removed may have been made anew.
func (b *Bucket) removeVersion(ctx context.Context, l *look) outcome {
	if err := b.takeTurn(ctx, l); err != nil {
		return outcome{err: err}
	}
	return b.removeInTurn(ctx, l)
}

// removeInTurn is removeVersion for who has the turn.
func (b *Bucket) removeInTurn(ctx context.Context, l *look) outcome {
	c := condition{match: l.etag}
	if !b.has.removesMatch {
		c = condition{}
	}
	var out outcome
	for range maxLost {
		out = b.store.removeUntil(ctx, true, b.store.fileKey(l.name), c)
		if !out.unsure {
			break
		}
		now, err := b.lookNow(ctx, l.name)
		if isGone(err) || err == nil && now.id != l.id {
			return outcome{}
		}
		if err != nil {
			return out
		}
	}
	if out.err != nil && !out.unsure {
		b.giveBack(l.name, l.id)
	}
	return out
}

// storeTick is as exactly as a store tells when an object was written.
const storeTick = time.Second

// Expired implements [vfs.Expiry]. What counts is when an object was written, or what lies
// beside it, by the clock of the store: no client can set that. Of a large file that may be
// when its upload began; see [Options.Expires].
func (b *Bucket) Expired(ctx context.Context, before time.Time) iter.Seq2[vfs.Info, error] {
	return func(yield func(vfs.Info, error) bool) {
		p, err := b.store.listPage(ctx, b.store.prefix, "", true, 1)
		if err != nil {
			yield(vfs.Info{}, failure("ask for the time", err))
			return
		}
		before = p.at.Add(time.Until(before) - storeTick)
		for l, err := range b.list(ctx) {
			if err != nil {
				yield(vfs.Info{}, failure("list", err))
				return
			}
			if !l.changed.Before(before) {
				continue
			}
			now, err := b.look(ctx, l.name) // a list does not tell its version
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				yield(vfs.Info{}, err)
				return
			case b.hasExpired(now, before) && !yield(now.info(), nil):
				return
			}
		}
	}
}

// hasExpired tells whether a file was published before a time. A large one of ours that does
// not say when it was may be published just now, or its node was killed before it could say
// so: then it was at most as long ago as an upload may last.
func (b *Bucket) hasExpired(l *look, before time.Time) bool {
	inParts := strings.Contains(l.etag, "-")
	if b.o.Expires && inParts && l.serial == 0 && l.isOurs() {
		before = before.Add(-b.longestUpload())
	}
	return l.changed.Before(before)
}

// RemoveVersion implements [vfs.Expiry].
func (b *Bucket) RemoveVersion(ctx context.Context, name string, v vfs.Version) error {
	return b.removeIf(ctx, name, func(l *look) bool { return l.info().Version == v })
}

// wasThere tells of a version that is not there whether it was: then somebody has taken
// the turn to take it away.
func (b *Bucket) wasThere(ctx context.Context, name, id string) (bool, error) {
	_, err := b.store.head(ctx, b.store.turnKey(name, id))
	if isGone(err) {
		return false, nil
	}
	return err == nil, err
}

// SetAttr implements [vfs.Library].
func (b *Bucket) SetAttr(ctx context.Context, name string, a vfs.Attr) (c vfs.Change, err error) {
	l, err := b.look(ctx, name)
	if err != nil {
		return c, err
	}
	if a.HasSize {
		return b.resize(ctx, l, a)
	}
	before := l.info()
	if err := b.setAttr(ctx, l, a); err != nil {
		return c, err
	}
	return vfs.Change{Before: before, After: l.info()}, nil
}

// setAttr puts a sidecar beside a version, and removes those that it takes the place
// of.
func (b *Bucket) setAttr(ctx context.Context, l *look, a vfs.Attr) error {
	now := l.attributes.with(a)
	if now == l.attributes {
		return nil
	}
	old := l.sidecars
	l.attributes = now
	l.serial = min(l.serial, math.MaxUint32-1) + 1
	if err := b.dressVersion(ctx, l); err != nil {
		return failure("set attributes", err)
	}
	b.store.removeHidden(ctx, old...)
	return nil
}

// maxResizes is how often a file is published anew to give it another size, if others
// replace it meanwhile.
const maxResizes = 10

// resize publishes the file anew with another size. What another has published
// meanwhile is not undone: then it starts again from that.
func (b *Bucket) resize(ctx context.Context, l *look, a vfs.Attr) (c vfs.Change, err error) {
	for range maxResizes {
		c.Before = l.info()
		u := b.begin(ctx, l.name, vfs.CreateOptions{Check: a.Check})
		u.only = true
		if err := u.startOver(l); err != nil {
			u.end()
			return c, err
		}
		if err := u.SetAttr(a); err != nil {
			u.Abort()
			return c, err
		}
		made, err := u.Commit(ctx)
		c.After = made.After
		if !isReplaced(err) {
			return c, err
		}
		if l, err = b.look(ctx, l.name); err != nil {
			return c, err
		}
	}
	return c, err
}
