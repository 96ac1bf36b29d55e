package bucket

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"shelf/vfs"
	"shelf/vfs/spool"
)

// Partial implements [vfs.Resume].
func (b *Bucket) Partial(ctx context.Context, owner, name string) (vfs.Info, error) {
	if owner == "" || vfs.CheckName(name) != nil {
		return vfs.Info{}, vfs.NotExist()
	}
	r := b.readRecord(ctx, owner, name)
	if r.err != nil {
		return vfs.Info{}, r.err
	}
	if err := b.mayResume(ctx, &r); err != nil {
		return vfs.Info{}, err
	}
	mtime := time.Now().Add(-r.age).Unix()
	return (&look{name: name, size: r.size(), id: r.etag, attributes: attributes{mode: defaultMode, mtime: mtime}}).info(), nil
}

// mayResume refuses a record that is too old, that was made under another setting, or
// whose upload goes on. A client that has lost its connection comes back at once, and
// may find another node: before the one it was on has noted what is left, or is held
// for dead. So it waits until it is known whether that upload goes on.
func (b *Bucket) mayResume(ctx context.Context, r *recorded) error {
	var first beat
	for start := time.Now(); ; {
		if r.etag == "" || r.size() == 0 || r.PartSize != b.o.PartSize || r.age > b.o.Partials.MaxAge {
			return vfs.NotExist()
		}
		now, err := b.node.beatOf(ctx, r.Node)
		if err != nil {
			return failure("look at a node", err)
		}
		if now.dead {
			return nil
		}
		if first.at.IsZero() {
			first = now
		}
		if time.Since(start) > heartbeat && (now.own || !now.at.Equal(first.at)) {
			return vfs.NotExist() // it is alive, and has had the time
		}
		select {
		case <-time.After(heartbeat / 8):
		case <-ctx.Done():
			return ctx.Err()
		}
		again := b.readRecord(ctx, r.Owner, r.Name)
		if again.err != nil {
			return again.err
		}
		*r = again
	}
}

// resume goes on with a partial. Of two that try, one has it: the record is written on
// the condition that nobody else has. Its parts stay in the store; what follows them
// is read into the spool. An upload that is to be judged can't go on with one.
func (u *upload) resume(r recorded) error {
	w := &u.recorder
	if r.etag == "" {
		return vfs.NotExist()
	}
	if err := u.b.mayResume(u.ctx, &r); err != nil {
		return err
	}
	if u.o.Check != nil {
		return errors.Join(uncheckable(), u.b.dropRecord(u.ctx, r))
	}
	w.mayRecord(u, r)
	w.restore(&r.record)
	r.Node, w.tail = u.b.node.id, r.Tail
	if err := w.write(u.ctx, u, r.record); err != nil {
		*w = recorder{held: w.held}
		if isGone(err) || isUnmet(err) {
			return vfs.NotExist()
		}
		return failure("take a partial", err)
	}
	err := u.makeDisk()
	if err == nil {
		err = u.readTail(&r.record)
	}
	if err != nil {
		u.putBack(r.record)
		return err
	}
	u.id, u.gone, u.next = r.ID, r.parts(), int32(len(r.Parts))+1
	if len(r.Parts) > 0 {
		u.parts = u.newParts()
		u.parts.id, u.parts.etags = r.Upload, slices.Clone(r.Parts)
	}
	u.content = spool.Resume(u.disk, u, r.size())
	u.takePartial(r.size())
	return nil
}

// putBack lets others go on with a partial that was taken, if this upload can't.
func (u *upload) putBack(r record) {
	r.Node = ""
	u.b.tidy(func(ctx context.Context) {
		if err := u.recorder.write(ctx, u, r); err != nil {
			u.b.o.Log.Warn("a partial can't be resumed before this server ends", "name", u.name, "err", err)
		}
	})
}

// readTail reads into the spool what follows the parts.
func (u *upload) readTail(r *record) error {
	if r.TailSize == 0 {
		return nil
	}
	if !u.b.o.Spool.Take(r.TailSize) {
		return errSpoolFull()
	}
	u.charged = r.TailSize
	var err error
	for range maxReopens {
		var n int64
		if n, err = u.readTailOnce(r); err == nil && n < r.TailSize {
			err = io.ErrUnexpectedEOF
		}
		if err == nil || verdictOf(err) == refused {
			break
		}
	}
	if isGone(err) {
		r.Tail, r.TailSize, err = "", 0, nil // the parts are there still
	}
	return failure("read a partial", err)
}

func (u *upload) readTailOnce(r *record) (int64, error) {
	o, err := u.b.store.get(u.ctx, r.Tail, span{}, "", "")
	if err != nil {
		return 0, err
	}
	defer o.Body.Close()
	return io.Copy(io.NewOffsetWriter(u.disk, r.parts()), o.Body)
}

// keepFor is how long Keep may take.
const keepFor = 2 * time.Minute

// Keep implements [vfs.Keeper]. The parts stay in the store; what follows them is put
// beside the record. A partial is kept where it can be resumed: nothing is published
// under the name, no write failed, and its client has not begun anew meanwhile.
func (u *upload) Keep() error {
	if u.done {
		return nil
	}
	if u.parts != nil {
		u.parts.wait()
	}
	size := u.content.Prefix()
	if !u.recorder.on && !u.unseen.is || u.late || u.via != "" || size < u.b.o.Partials.MinSize {
		return u.Abort()
	}
	ctx, cancel := context.WithTimeout(context.Background(), keepFor)
	defer cancel()
	if err := u.lookAtLast(ctx); err != nil {
		return errors.Join(failure("look at a file", err), u.Abort())
	}
	if !u.recorder.on {
		return u.Abort()
	}
	if _, err := u.b.lookNow(ctx, u.name); !isGone(err) {
		return errors.Join(failure("look at a file", err), u.Abort())
	}
	err := u.holdExactly(ctx, costOf(size))
	if err == nil {
		err = u.keep(ctx, size)
	}
	if err != nil {
		u.Abort()
		if isGone(err) || isUnmet(err) {
			return nil // its client has begun anew
		}
		return failure("keep a partial", err)
	}
	u.leavePartial(size)
	u.b.trim(ctx, u.o.Owner, u.recorder.key)
	return u.end()
}

// keep writes what follows the parts, and then the record.
func (u *upload) keep(ctx context.Context, size int64) error {
	w := &u.recorder
	n := int32(0)
	if u.parts != nil {
		n = u.parts.inOrder()
	}
	old := w.tail
	w.tail = ""
	r := w.recordOf(u, n)
	r.Node, r.Hash = "", nil
	if n == w.hashed && n > 0 {
		r.Hash = w.state()
	}
	if off := u.sizes.end(n); off < size {
		w.tail = u.b.store.hiddenKey("tail", digest(u.o.Owner), digest(w.name), newID())
		r.Tail, r.TailSize = w.tail, size-off
		b, err := bodyOf(u.disk, off, size-off)
		if err != nil {
			return err
		}
		if _, out := u.b.store.put(ctx, w.tail, b, nil, condition{}); out.err != nil {
			return out.err
		}
	}
	if err := w.write(ctx, u, r); err != nil {
		return err
	}
	if old != "" {
		u.b.store.removeHidden(ctx, old)
	}
	return nil
}

// trim removes an account's oldest partials until there are not too many.
func (b *Bucket) trim(ctx context.Context, owner, mine string) {
	var all []hidden
	for h, err := range b.store.listHidden(ctx, "partial", digest(owner)) {
		if err != nil {
			b.o.Log.Warn("the partials of an account were not counted", "err", err)
			return
		}
		if h.key != mine {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b hidden) int { return cmp.Compare(b.age, a.age) })
	for len(all) >= b.o.Partials.PerAccount {
		if err := b.dropRecordAt(ctx, all[0].key); err != nil {
			b.o.Log.Warn("an old partial was not removed", "err", err)
		}
		all = all[1:]
	}
}

// dropRecordAt drops a partial by its key.
func (b *Bucket) dropRecordAt(ctx context.Context, key string) error {
	r := b.recordAt(ctx, key)
	if r.err != nil {
		return r.err
	}
	return b.dropRecord(ctx, r)
}

// dropRecord drops a partial: the record first, so that nobody goes on with what is
// removed then. The parts of an upload under way are its own affair.
func (b *Bucket) dropRecord(ctx context.Context, r recorded) error {
	if r.etag == "" {
		return nil
	}
	alive, err := b.node.isAlive(ctx, r.Node)
	if err != nil {
		return failure("look at a node", err)
	}
	change := b.beginChange(costOf(r.size()))
	out := b.store.remove(ctx, r.key, condition{match: r.etag})
	change.end(out.err == nil && !alive) // what is under way is charged to the upload
	switch {
	case isUnmet(out.err):
		return b.dropRecordAt(ctx, r.key) // it was written anew meanwhile
	case isGone(out.err):
		return nil
	case out.err != nil:
		return failure("drop a partial", out.err)
	}
	if r.Tail != "" {
		b.store.removeHidden(ctx, r.Tail)
	}
	if r.Upload != "" && !alive {
		b.store.abortParts(ctx, b.store.fileKey(r.Name), r.Upload)
	}
	return nil
}
