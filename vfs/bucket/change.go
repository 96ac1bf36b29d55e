package bucket

import (
	"context"
	"math"

	"shelf/vfs"
)

// Remove implements [vfs.Library]. What was published meanwhile is removed, too.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	l, err := b.look(ctx, name)
	if err != nil {
		return err
	}
	for range maxConflicts {
		out := b.removeVersion(ctx, l)
		switch {
		case out.err == nil, isGone(out.err) && out.unsure:
			b.store.removeHidden(ctx, l.sidecars...)
			return nil
		case isUnmet(out.err) && out.unsure:
			const why = "it is not known whether the file was removed; there is another one now"
			return &vfs.Error{Kind: vfs.ErrUncertain, Why: why, Err: out.err}
		case !isUnmet(out.err):
			return failure("remove", out.err)
		}
		if l, err = b.look(ctx, name); err != nil {
			return err
		}
	}
	return errReplaced
}

// removeVersion removes a file if it still is what was looked at.
func (b *Bucket) removeVersion(ctx context.Context, l *look) outcome {
	c := condition{match: l.etag}
	if !b.has.removesMatch {
		c = condition{}
	}
	return b.store.remove(ctx, b.store.fileKey(l.name), c)
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
		u := b.begin(ctx, l.name, vfs.CreateOptions{})
		u.only = true
		if err := u.startOver(l); err != nil {
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
