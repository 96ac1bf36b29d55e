package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"shelf/vfs"
)

// intent is a rename under way, as an object says it, so that a sweeper can end what
// a dead node has begun.
type intent struct {
	Node     string
	ID       string // of the version that the new name gets
	Old, New string
	ETag     string // of the old one
	OldID    string
}

// Rename implements [vfs.Library]. A store can't give an object another name, so it is
// copied. The order of the calls is the promise:
//
//	PutObject        the intent
//	GetObject, PutObject           a small file, or else
//	UploadPartCopy..., Complete    the file has both names
//	PutObject        the turn to remove the old name
//	DeleteObject     the old name, if it still is the version that was copied; with
//	                 keep_versions, that version too: it is none of the old name
//	DeleteObject     the intent
//
// So there may be the old name, both, or the new one; never neither, and no file that
// is not whole.
func (b *Bucket) Rename(ctx context.Context, old, new string, replace bool) (c vfs.Change, err error) {
	if err := vfs.CheckName(new); err != nil {
		return c, err
	}
	from, err := b.look(ctx, old)
	if err != nil {
		return c, err
	}
	c.Before = from.info()
	if old == new {
		c.After = c.Before
		return c, nil
	}
	for range maxConflicts {
		if c.After, c.Replaced, err = b.renameOnce(ctx, from, new, replace); !errors.Is(err, errMoved) {
			break
		}
		if from, err = b.look(ctx, old); err != nil {
			return c, err
		}
		c.Before = from.info()
	}
	if err != nil {
		return vfs.Change{}, err
	}
	return c, nil
}

// errMoved is why a version can't be read or copied any more.
var errMoved = errors.New("the file was replaced or removed")

func (b *Bucket) renameOnce(ctx context.Context, from *look, new string, replace bool) (after, replaced vfs.Info, err error) {
	// The copy is an upload whose content is in the store already.
	u := b.begin(ctx, new, vfs.CreateOptions{Create: true, NoReplace: !replace})
	defer u.end()
	u.limited.exempt = true
	u.mode, u.attr = from.mode, vfs.Attr{HasTimes: true, Mtime: time.Unix(from.mtime, 0)}
	if err := u.lookFirst(); err != nil {
		return after, replaced, err
	}
	if u.seen != nil && !replace {
		return after, replaced, vfs.Exists()
	}
	if err := b.node.hold(ctx); err != nil {
		return after, replaced, failure("rename", err)
	}
	defer b.node.release() // once it is ended
	key, err := b.intend(ctx, intent{b.node.id, u.id, from.name, new, from.etag, from.id})
	if err != nil {
		return after, replaced, failure("rename", err)
	}
	moves := b.beginMove(from)
	defer moves.end()
	to, err := u.copy(ctx, from)
	if err != nil {
		if !errors.Is(err, vfs.ErrUncertain) {
			b.tidy(func(ctx context.Context) { b.store.removeHidden(ctx, key) })
		}
		return after, replaced, err
	}
	// From here on the rename is made, and only has to be ended.
	moves.made(u.seen)
	late, cancel := b.lateFor(ctx)
	defer cancel()
	if err := u.dress(late, to); err != nil {
		return after, replaced, err
	}
	out := b.removeVersion(late, from)
	if out.err != nil && !isGone(out.err) && !isUnmet(out.err) {
		why := "the file has both names now: the store did not remove the old one"
		return after, replaced, &vfs.Error{Kind: vfs.ErrUncertain, Why: why, Err: out.err}
	}
	if out.err == nil {
		moves.gone()
		b.erase(late, from)
	}
	b.store.removeHidden(late, append(from.sidecars, key)...)
	b.carrySum(from, to)
	return to.info(), u.seen.infoOrNone(), nil
}

// lateFor is the ctx of what must be done although a client may have gone.
func (b *Bucket) lateFor(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 2*b.store.timeout)
}

// tidy does what must be done, whoever has gone.
func (b *Bucket) tidy(do func(context.Context)) {
	ctx, cancel := b.after()
	defer cancel()
	do(ctx)
}

// intend says that a file is about to be renamed. Others end it if the node is not seen
// to be alive.
func (b *Bucket) intend(ctx context.Context, i intent) (key string, err error) {
	text, err := json.Marshal(i)
	if err != nil {
		return "", err
	}
	key = b.store.hiddenKey("rename", i.ID)
	return key, b.store.putText(ctx, key, text)
}

// copy publishes a version under the upload's name: it is an upload that starts from
// it, and into which nothing is written.
func (u *upload) copy(ctx context.Context, from *look) (*look, error) {
	if err := u.makeDisk(); err != nil {
		return nil, err
	}
	if from.size > wholePut {
		u.sizes = sizing{copySize(from.size)}
	}
	u.over(&file{b: u.b, ctx: ctx, l: from}, from.size)
	to, err := u.commit(ctx)
	if err != nil && !errors.Is(err, vfs.ErrUncertain) {
		u.dropParts()
	}
	return to, err
}

// copySize is the size of the parts of a copy, in bytes: few calls, of which some go
// on at a time, and not too many for a store.
func copySize(size int64) int64 {
	const least = 64 << 20
	return (size/maxParts/least + 1) * least
}
