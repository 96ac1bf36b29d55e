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
	known := u.b.lookForRecord(u.ctx, u.o.Owner, u.name)
	l, err := u.b.look(u.ctx, u.name)
	rec := <-known
	if err == nil {
		err = rec.err
	}
	switch {
	case err == nil && (u.o.Create && u.o.Exclusive || u.o.NoReplace):
		return exists()
	case err == nil:
		return errors.Join(u.dropUnwanted(rec), u.startOver(l))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return u.startNew(rec)
}

func exists() error { return &vfs.Error{Kind: fs.ErrExist, Why: "a file of that name exists"} }

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
