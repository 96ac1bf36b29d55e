package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"shelf/vfs"
)

// maxConflicts is how often an upload tries to take the place of what others publish
// at the same time.
const maxConflicts = 100

// maxLost is how many answers may be lost until it is told that nobody knows.
const maxLost = 5

// publish makes the upload a file. Where it fails, others may replace what was there.
func (u *upload) publish(ctx context.Context, try func(condition) (answer, outcome)) (*look, error) {
	l, err := u.publishInTurn(ctx, try)
	if err != nil && !errors.Is(err, vfs.ErrUncertain) && u.turn != "" {
		u.b.giveBack(u.name, u.turn)
	}
	return l, err
}

func (u *upload) publishInTurn(ctx context.Context, try func(condition) (answer, outcome)) (*look, error) {
	blind := false
	for conflicts, lost := 0, 0; conflicts < maxConflicts; conflicts++ {
		if err := u.awaitTurn(ctx); err != nil {
			return nil, err
		}
		c := u.condition()
		if blind {
			c = condition{}
		}
		replace, err := u.beginReplace(ctx)
		if err != nil {
			return nil, err
		}
		a, out := try(c)
		if out.err == nil {
			replace.done()
			return u.published(ctx, a), nil
		}
		switch {
		case isNoUpload(out.err) && !out.unsure:
			replace.undone()
			return nil, u.lostParts(out.err)
		case !out.unsure && !isUnmet(out.err) && !isGone(out.err):
			replace.undone()
			return nil, failure("publish", out.err)
		}
		now, err := u.settle(ctx, out)
		if err == nil && now != nil && now.id == u.id {
			replace.done()
			return u.found(now), nil
		}
		if err == nil && out.unsure && (isNoUpload(out.err) || lost == maxLost || ctx.Err() != nil) {
			err = uncertain(out.err)
		}
		if errors.Is(err, vfs.ErrUncertain) {
			replace.uncertain()
		} else {
			replace.undone()
		}
		switch {
		case err != nil:
			return nil, err
		case now != nil && !u.replaces():
			return nil, vfs.Exists()
		case u.only && (now == nil || now.id != u.seen.id):
			return nil, errReplaced
		}
		if out.unsure {
			lost++
		}
		blind = now == nil && c.absent && !u.b.has.overMarkers
		if now != nil && u.unseen.is {
			u.mode = now.mode
		}
		u.see(now)
	}
	return nil, errReplaced
}

// settle looks what has the name after a try that failed. If the answer was lost, it
// may be this upload; or that is gone since.
func (u *upload) settle(ctx context.Context, out outcome) (now *look, err error) {
	if out.unsure {
		var cancel context.CancelFunc
		ctx, cancel = u.b.lateFor(ctx)
		defer cancel()
	}
	now, err = u.lookAgain(ctx)
	if err == nil && out.unsure && (now == nil || now.id != u.id) {
		var was bool
		if was, err = u.b.wasThere(ctx, u.name, u.id); was {
			return &look{name: u.name, size: u.content.Size(), id: u.id, attributes: attributes{mtime: u.made}}, nil
		}
	}
	if err != nil && out.unsure {
		err = uncertain(errors.Join(out.err, err))
	}
	return now, err
}

// errReplaced is the end of a change to a file that others replace all the time.
var errReplaced = &vfs.Error{Kind: vfs.ErrUnavailable, Why: "the file is replaced all the time; try again"}

func isReplaced(err error) bool { return errors.Is(err, error(errReplaced)) }

// condition is that the name stands for what was seen.
func (u *upload) condition() condition {
	switch {
	case u.seen == nil && (u.b.has.absent || !u.replaces()):
		return condition{absent: true}
	case u.seen != nil && u.b.has.match:
		return condition{match: u.seen.etag}
	}
	return condition{}
}

// lookAgain is what has the name; nil is nothing.
func (u *upload) lookAgain(ctx context.Context) (*look, error) {
	now, err := u.b.look(ctx, u.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return now, err
}

// uncertain is the error of a Commit whose answer was lost.
func uncertain(err error) error {
	const why = "the store did not answer; it is not known whether the file was published"
	return &vfs.Error{Kind: vfs.ErrUncertain, Why: why, Err: err}
}

// published is the version that was made. A large one has the time that the store gives
// it, if none was set.
func (u *upload) published(ctx context.Context, a answer) *look {
	if u.parts != nil && !u.attr.HasTimes {
		if now, err := u.lookAgain(ctx); err == nil && now != nil && now.id == u.id {
			return u.found(now)
		}
	}
	l := &look{name: u.name, size: u.content.Size(), etag: a.etag, version: a.version, id: u.id}
	l.attributes = attributes{mode: u.mode, mtime: u.made}.with(u.attr)
	return l
}

// found is the version that was made, when it was looked at.
func (u *upload) found(now *look) *look {
	now.attributes = attributes{mode: u.mode, mtime: now.mtime}.with(u.attr)
	return now
}

// metadata is what a small object says of itself. A large one says its id alone: its
// metadata is fixed before mode and times are known.
func (u *upload) metadata() map[string]string {
	meta := map[string]string{metaID: u.id}
	if now := (attributes{mode: u.mode}).with(u.attr); now.mode != defaultMode {
		meta[metaMode] = fmt.Sprintf("%o", now.mode)
	}
	meta[metaMtime] = fmt.Sprintf("%d", attributes{mtime: u.made}.with(u.attr).mtime)
	return meta
}

// see notes what has the name now.
func (u *upload) see(now *look) {
	u.seen = now
	if now != nil {
		u.stale = append(u.stale, now.sidecars...)
	}
}

// dress puts beside a version what it does not say itself, or what a list would not
// tell; and removes what lay beside the version before.
func (u *upload) dress(ctx context.Context, l *look) error {
	defer u.b.retire(ctx, u.seen, u.stale)
	if l.mode == defaultMode && !u.attr.HasTimes && !(u.b.o.Expires && u.parts != nil) {
		return nil
	}
	l.serial = 1
	if err := u.b.dressVersion(ctx, l); err != nil {
		const why = "the file was published, but its mode and times may not be those that were set"
		return &vfs.Error{Kind: vfs.ErrUncertain, Why: why, Err: err}
	}
	return nil
}

// Who replaces or removes a version takes the turn for it first: an object named for
// the version's id, made on the condition that there is none. The condition of the
// change itself is not enough, since an ETag is of a content and not of a version: a
// file that is renamed and renamed back has the same one, and would be removed by who
// still ends the first rename.
//
// A turn ends with its version. One whose taker is dead, or does not know what became
// of its change, is taken over after a while. It is word of a version that is gone, too,
// for its maker who has lost the answer.

// turnFor is how long others leave a turn to its taker.
const turnFor = 30 * time.Second

// The longest and the shortest wait before it is looked again whether a version is gone.
const (
	firstLook = 10 * time.Millisecond
	longLook  = 500 * time.Millisecond
)

// takeTurn takes the turn for a version, or waits until who has it is done: then the
// error is errMoved.
func (b *Bucket) takeTurn(ctx context.Context, l *look) error {
	key, me := b.store.turnKey(l.name, l.id), newID()
	for wait := firstLook; ; wait = min(2*wait, longLook) {
		mine, err := b.tryTurn(ctx, key, me, condition{absent: true})
		if mine || err != nil {
			return err
		}
		now, err := b.lookNow(ctx, l.name)
		if isGone(err) || err == nil && now.id != l.id {
			return errMoved
		}
		if err != nil {
			return failure("look at a file", err)
		}
		_, etag, age, err := b.store.getText(ctx, key)
		if err != nil && !isGone(err) {
			return failure("look whose turn it is", err)
		}
		again, may := condition{match: etag}, err == nil && age > turnFor
		if err != nil && !b.has.overMarkers {
			// It was given back, or there is word of it no more: and such a store lets
			// nobody make again what was removed, on any condition.
			again, may = condition{}, true
		}
		if may {
			if mine, err := b.tryTurn(ctx, key, me, again); mine || err != nil {
				return err
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryTurn takes a turn on a condition, and tells whether that was met.
func (b *Bucket) tryTurn(ctx context.Context, key, me string, c condition) (mine bool, err error) {
	for range maxLost {
		_, out := b.store.put(ctx, key, bodyOfText([]byte(me)), nil, c)
		switch {
		case out.err == nil:
			return true, nil
		case !out.unsure && (isUnmet(out.err) || isGone(out.err)):
			return false, nil
		case !out.unsure:
			return false, failure("take a turn", out.err)
		}
		text, _, _, err := b.store.getText(ctx, key)
		if err == nil || !isGone(err) {
			return string(text) == me, failure("look whose turn it is", err)
		}
	}
	return false, &vfs.Error{Kind: vfs.ErrUnavailable}
}

// giveBack gives back the turn for a version that is still there.
func (b *Bucket) giveBack(name, id string) {
	b.tidy(func(ctx context.Context) { b.store.removeHidden(ctx, b.store.turnKey(name, id)) })
}

// awaitTurn takes the turn for what the upload is about to replace.
func (u *upload) awaitTurn(ctx context.Context) error {
	for u.seen != nil && u.turn != u.seen.id {
		err := u.b.takeTurn(ctx, u.seen)
		if err == nil {
			u.turn = u.seen.id
			return nil
		}
		if !errors.Is(err, errMoved) {
			return err
		}
		now, err := u.lookAgain(ctx)
		switch {
		case err != nil:
			return err
		case now != nil && !u.replaces():
			return vfs.Exists()
		case u.only:
			return errReplaced
		}
		u.see(now)
	}
	return nil
}
