package bucket

import (
	"context"
	"errors"
	"io/fs"

	"shelf/vfs"
	"shelf/vfs/spool"
)

// Create implements [vfs.Library].
func (b *Bucket) Create(ctx context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	u := b.begin(ctx, name, o)
	if err := u.start(); err != nil {
		return nil, err
	}
	return u, nil
}

// begin is an upload that has no content yet.
func (b *Bucket) begin(ctx context.Context, name string, o vfs.CreateOptions) *upload {
	if o.NoPartial {
		o.Owner = ""
	}
	u := &upload{b: b, ctx: ctx, name: name, o: o, id: newID(), sizes: sizing{b.o.PartSize}}
	u.sending, u.stop = context.WithCancel(context.WithoutCancel(ctx))
	return u
}

// start finds out what the upload starts from. An error leaves nothing of it.
func (u *upload) start() (err error) {
	defer func() {
		if err != nil {
			u.end()
		}
	}()
	if err := vfs.CheckName(u.name); err != nil {
		return errors.Join(err, closeBase(u.o.Base))
	}
	if u.o.Base != nil {
		return u.startFrom()
	}
	if u.mayStartUnseen() {
		return u.startUnseen()
	}
	known := u.b.lookForRecord(u.ctx, u.o.Owner, u.name)
	l, err := u.b.look(u.ctx, u.name)
	rec := <-known
	if err == nil {
		err = rec.err
	}
	switch {
	case err == nil && (u.o.Create && u.o.Exclusive || u.o.NoReplace):
		return vfs.Exists()
	case err == nil:
		return errors.Join(u.dropUnwanted(rec), u.startOver(l))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return u.startNew(rec)
}

func closeBase(base vfs.File) error {
	if base == nil {
		return nil
	}
	return base.Close()
}

// startNew begins an upload under a name that stands for nothing: from the owner's
// partial, if there is one and it is wanted.
func (u *upload) startNew(rec recorded) error {
	u.mode = u.b.newMode(u.o.Mode)
	if u.o.Create {
		if err := u.dropUnwanted(rec); err != nil {
			return err
		}
	}
	if !u.o.Truncate && !u.o.Exclusive {
		err := u.resume(rec)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if !u.o.Create {
		return vfs.NotExist()
	}
	if err := u.makeDisk(); err != nil {
		return err
	}
	u.content = spool.New(u.disk, u)
	u.recorder.mayRecord(u, rec)
	return u.hold(0)
}

// unseenSize is up to which size an upload is published without having looked, in bytes:
// if there is a file after all it has been sent for nothing.
const unseenSize = 64 << 10

// unseen is an upload that starts from nothing and may replace what there is: nobody has
// to wait at OPEN until it is known what that is. A small one is published on the
// condition that nothing has the name. Only if something has it, it looks what that is.
type unseen struct {
	is      bool
	looking chan seen     // nil if nobody looks yet
	dropped chan recorded // the partial that it does not start from
}

// seen is what has the name.
type seen struct {
	l   *look
	err error
}

func (u *upload) mayStartUnseen() bool {
	return u.o.Create && u.o.Truncate && u.replaces() && u.b.held == nil && u.b.has.absent && u.b.has.overMarkers
}

func (u *upload) startUnseen() error {
	u.mode = u.b.newMode(u.o.Mode)
	u.unseen = unseen{is: true, dropped: make(chan recorded, 1)}
	go func() {
		ctx := context.WithoutCancel(u.ctx)
		r := <-u.b.lookForRecord(ctx, u.o.Owner, u.name)
		if r.err == nil {
			r.err = u.b.dropRecord(ctx, r)
		}
		u.unseen.dropped <- r
	}()
	if err := u.makeDisk(); err != nil {
		return err
	}
	u.content = spool.New(u.disk, u)
	return nil
}

// lookSoon begins to look what has the name, if nobody has.
func (u *upload) lookSoon() {
	if !u.unseen.is || u.unseen.looking != nil {
		return
	}
	found, name := make(chan seen, 1), u.name
	u.unseen.looking = found
	go func() {
		l, err := u.b.look(u.sending, name)
		found <- seen{l, err}
	}()
}

// lookAtLast waits until it is known what has the name.
func (u *upload) lookAtLast(ctx context.Context) error {
	if !u.unseen.is {
		return nil
	}
	u.lookSoon()
	var found seen
	select {
	case found = <-u.unseen.looking:
		u.unseen.looking = nil
	case <-ctx.Done():
		return ctx.Err()
	}
	if found.err != nil && !errors.Is(found.err, fs.ErrNotExist) {
		return found.err
	}
	rec, err := u.awaitDrop(ctx)
	if err != nil {
		return err
	}
	u.unseen.is = false
	if found.err != nil {
		u.recorder.mayRecord(u, rec)
		return nil
	}
	u.mode = found.l.mode
	u.see(found.l)
	return nil
}

// awaitDrop waits until the partial is gone that the upload does not start from.
func (u *upload) awaitDrop(ctx context.Context) (recorded, error) {
	select {
	case r := <-u.unseen.dropped:
		u.unseen.dropped <- r // for who asks again
		return r, r.err
	case <-ctx.Done():
		return recorded{}, ctx.Err()
	}
}

// dropAtLast waits until that partial is gone, before the upload ends.
func (u *upload) dropAtLast() {
	if !u.unseen.is {
		return
	}
	u.b.tidy(func(ctx context.Context) {
		if _, err := u.awaitDrop(ctx); err != nil {
			u.b.o.Log.Warn("a partial was not removed", "name", u.name, "err", err)
		}
	})
}

// dropUnwanted drops what the owner could resume, if the upload starts from nothing.
func (u *upload) dropUnwanted(rec recorded) error {
	if !u.o.Truncate && !u.o.Exclusive {
		return nil
	}
	return u.b.dropRecord(u.ctx, rec)
}

// startOver begins an upload that will replace a file.
func (u *upload) startOver(l *look) error {
	u.mode = l.mode
	u.see(l)
	u.borrow(l)
	if err := u.makeDisk(); err != nil {
		return err
	}
	if u.o.Truncate {
		u.content = spool.New(u.disk, u)
		return u.hold(0)
	}
	u.over(&file{b: u.b, ctx: u.ctx, l: l}, l.size)
	return u.hold(l.size)
}

// startFrom begins an upload that starts from an upload under way, or from the file
// that this one starts from.
func (u *upload) startFrom() error {
	from, ok := vfs.As[base](u.o.Base)
	if !ok {
		return errors.Join(&vfs.Error{Kind: vfs.ErrIO, Why: "the upload's base is from another library"}, closeBase(u.o.Base))
	}
	i, err := from.Stat()
	if err == nil {
		u.mode = i.Mode
		err = u.lookFirst()
	}
	if err == nil {
		u.borrow(u.seen)
		err = u.makeDisk()
	}
	if err != nil {
		from.Close()
		return err
	}
	u.over(from, i.Size)
	return u.hold(i.Size)
}

// lookFirst notes what has the name, if anything has.
func (u *upload) lookFirst() error {
	now, err := u.lookAgain(u.ctx)
	if err == nil {
		u.see(now)
	}
	return err
}

func (u *upload) over(from base, size int64) {
	u.base, u.content = from, spool.Over(u.disk, u, from, size)
}

func (u *upload) makeDisk() (err error) {
	u.disk, err = u.b.o.Spool.Create()
	return err
}

// newMode is the mode of a file that did not exist.
func (b *Bucket) newMode(asked fs.FileMode) fs.FileMode {
	if asked == 0 {
		asked = defaultMode
	}
	return vfs.FileMode(asked &^ b.o.Umask)
}
