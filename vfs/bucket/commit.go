package bucket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"shelf/vfs"
	"shelf/vfs/spool"
)

// Commit implements [vfs.Upload]. The order of the calls is the promise:
//
//	           whoever judges it is asked first, see vfs.Check: its parts may be in
//	           the store by then, and are no file
//
//	PutObject        the turn to replace what has the name, if anything has
//
//	PutObject        a small file: all of it, with its digest, id and attributes
//
//	UploadPart       a large one: what was not sent before, or written to after that
//	UploadPartCopy   what is as it was in the file that the upload starts from
//	Complete         the file is there, whole
//
//	PutObject        mode and times beside it, if it has others than it says itself
//	DeleteObject     what lay beside the version before; the record of a partial
//
// The file is published on the condition that what has the name is what was seen there
// last, so that a try that comes late does not undo what another has
// published meanwhile. Who may replace that looks again, and tries again.
//
// If an answer is lost, the id of what is there tells whether it was published. If
// that can't be told, it is uncertain.
func (u *upload) Commit(ctx context.Context) (vfs.Change, error) {
	if err := errors.Join(u.usable(), ctx.Err()); err != nil {
		u.Abort()
		return vfs.Change{}, err
	}
	if !u.content.Changed() {
		i, err := u.commitAttr(ctx)
		return vfs.Change{After: i}, errors.Join(err, u.Abort())
	}
	if err := u.Check(ctx); err != nil {
		u.Abort()
		return vfs.Change{}, err
	}
	l, err := u.commit(ctx)
	if err != nil && !errors.Is(err, vfs.ErrUncertain) {
		u.Abort()
		return vfs.Change{}, err
	}
	if err == nil {
		u.b.rememberLater(l, u.wholeSum())
		err = u.dress(ctx, l)
	}
	u.dropAtLast()
	u.recorder.drop(u)
	if e := u.end(); e != nil { // the parts, if any, are or may be the file
		u.b.o.Log.Warn("after an upload", "name", u.name, "err", e)
	}
	switch {
	case err != nil:
		return vfs.Change{}, err
	case u.via != "":
		return u.rename(ctx)
	}
	return vfs.Change{After: l.info(), Replaced: u.seen.infoOrNone()}, nil
}

// Check implements [vfs.Checker]. The file of the spool has all bytes then.
func (u *upload) Check(ctx context.Context) error {
	if err := u.usable(); err != nil || u.o.Check == nil || !u.content.Changed() {
		return err
	}
	if u.gone > 0 {
		return uncheckable()
	}
	if err := u.content.Fill(); err != nil {
		return err
	}
	return u.o.Check.Run(ctx, vfs.Staged{Name: u.name, Size: u.content.Size(), Content: u.content, Open: func() (*os.File, error) { return spool.Reopen(u.disk) }})
}

// uncheckable refuses an upload of which only the store has the beginning: it does not
// give that back. The next try begins anew.
func uncheckable() error {
	return &vfs.Error{Kind: vfs.ErrIO, Why: "the beginning of this upload cannot be checked any more; send the file again"}
}

// commitAttr is the Commit of an upload into which nothing was written.
func (u *upload) commitAttr(ctx context.Context) (vfs.Info, error) {
	if !u.attr.HasMode && !u.attr.HasTimes {
		i, err := u.base.Stat()
		i.Name = u.name
		return i, err
	}
	c, err := u.b.SetAttr(ctx, u.name, u.attr)
	return c.After, err
}

// wholePut is up to which size a file is sent in one call, in bytes.
const wholePut = 8 << 20

// commit sends what is left and publishes it.
func (u *upload) commit(ctx context.Context) (*look, error) {
	if u.via != "" {
		u.name, u.via, u.viaReplaces = u.via, u.name, u.replaces()
		u.o.NoReplace = true
	}
	size := u.content.Size()
	if size > unseenSize || u.unseen.looking != nil {
		if err := u.lookAtLast(ctx); err != nil {
			return nil, err
		}
	}
	if size <= min(wholePut, u.sizes.end(1)) && u.gone == 0 {
		if err := u.content.Fill(); err != nil {
			return nil, err
		}
		b, err := bodyOf(u.disk, 0, size)
		if err != nil {
			return nil, failure("read the spool", err)
		}
		u.dropParts()
		u.made = time.Now().Unix()
		return u.publish(ctx, func(c condition) (answer, outcome) {
			return u.b.store.put(ctx, u.b.store.fileKey(u.name), b, u.metadata(), c)
		})
	}
	release := context.AfterFunc(ctx, u.stop)
	defer release()
	if err := u.sendRest(size); err != nil {
		return nil, err
	}
	return u.publish(ctx, func(c condition) (answer, outcome) {
		p := u.parts
		return u.b.store.complete(ctx, p.key, p.uploadID(), p.first(u.sizes.count(size)), c)
	})
}

// sendRest sends all parts that were not sent as they are now.
func (u *upload) sendRest(size int64) error {
	if u.parts == nil {
		u.parts = u.newParts()
	}
	u.parts.wait()
	if err := u.parts.takeError(); isNoUpload(err) {
		if u.gone > 0 {
			return u.lostParts(err)
		}
		u.parts.forgetAll()
	}
	var copied *look
	for k, last := int32(1), u.sizes.count(size); k <= last; k++ {
		if u.parts.has(k) && (k < last || size == u.sizes.end(k)) {
			continue
		}
		from, err := u.sendAtLast(k, min(size, u.sizes.end(k)), k == last)
		if err != nil {
			return err
		}
		if from != nil {
			copied = from
		}
	}
	u.parts.wait()
	err := u.parts.takeError()
	if err == nil && copied != nil {
		err = u.isStill(copied)
	}
	if isGone(err) || isUnmet(err) || errors.Is(err, errMoved) {
		const why = "the file that the upload starts from was replaced meanwhile; try again"
		return &vfs.Error{Kind: vfs.ErrIO, Why: why, Err: fmt.Errorf("%w: %w", errMoved, err)}
	}
	return failure("send a part", err)
}

// isStill looks whether a file of which parts were copied has been the same all the
// time. Some stores look at the condition of a copy before they open the file.
func (u *upload) isStill(from *look) error {
	if from.version != "" {
		return nil
	}
	now, err := u.b.lookNow(u.sending, from.name)
	if err == nil && now.id != from.id {
		err = errMoved
	}
	return err
}

// lostParts is the end of an upload of which the store has lost the beginning: it was
// too old, perhaps.
func (u *upload) lostParts(err error) error {
	u.recorder.drop(u)
	return &vfs.Error{Kind: vfs.ErrIO, Why: "the store no longer has the beginning of this upload; send the file again", Err: err}
}

// sendAtLast sends a part, which may have holes; or has the store copy it, and tells
// from what.
func (u *upload) sendAtLast(k int32, end int64, last bool) (*look, error) {
	off := u.sizes.end(k - 1)
	if off < u.gone {
		return nil, errSent() // a part of which the end was cut off
	}
	from, ok := u.base.(*file)
	if ok && (last || end-off >= minCopy) && u.b.has.copies && u.content.Untouched(off, end) {
		return from.l, u.send(k, end, from.l)
	}
	if err := u.content.FillTo(off, end); err != nil {
		return nil, err
	}
	return nil, u.send(k, end, nil)
}

// rename gives what was published its name.
func (u *upload) rename(ctx context.Context) (vfs.Change, error) {
	c, err := u.b.Rename(ctx, u.name, u.via, u.viaReplaces)
	if err != nil {
		why := fmt.Sprintf("the file was published under the name %s, and could not be renamed", vfs.Printable(u.name))
		return vfs.Change{}, &vfs.Error{Kind: vfs.ErrUncertain, Why: why, Err: err}
	}
	return vfs.Change{After: c.After, Replaced: c.Replaced}, nil
}

// Abort implements [vfs.Upload].
func (u *upload) Abort() error {
	if u.done {
		return nil
	}
	u.stop()
	u.dropAtLast()
	if u.recorder.drop(u) {
		u.dropParts()
	}
	return u.end()
}
