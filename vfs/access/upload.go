package access

import (
	"context"
	"crypto"
	"errors"
	"io"
	"io/fs"

	"shelf/vfs"
)

// Writer is an upload under way. One of Commit, Cut and Abandon ends it; after
// that they fail.
type Writer struct {
	op        *operation
	at        place
	up        vfs.Upload
	ctx       context.Context // of up
	stay      func() bool     // see contextFor
	state     state
	readable  bool
	replaces  bool        // Commit would replace a file
	exclusive bool        // unless it was to be a new one
	mode      fs.FileMode // that was asked for
	based     bool        // it started from what only who may read files can read
	append    bool        // every write goes to the end
	end       int64       // where that is
	wrote     bool        // there is something to publish
	fresh     bool        // it would publish nothing but what the name stands for; see pending.go
	attr      vfs.Attr    // mode and times that were set
	transfer  *transfer
	sum       *summing
	judged    *judged
	err       error // the first that left the content in doubt; see doubt
}

// Name is what the client called it, or renamed it to.
func (w *Writer) Name() string { return w.op.path }

// Readable tells whether it was opened for reading as well.
func (w *Writer) Readable() bool { return w.readable }

// WriteAt implements [io.WriterAt].
func (w *Writer) WriteAt(b []byte, off int64) (int, error) {
	if err := w.still(); err != nil {
		return 0, err
	}
	if w.append {
		off = w.end
	}
	w.turn(isWritten)
	w.wrote, w.fresh = true, false
	w.judged.forget()
	returned := w.state
	w.turn(isTorn)
	n, err := w.up.WriteAt(b, off)
	w.state = returned
	w.end = max(w.end, off+int64(n))
	w.op.event.Bytes += int64(n)
	w.sum.wrote(b[:n], off)
	w.transfer.moved(n)
	w.doubt(err)
	return n, w.op.s.told("write", w.Name(), err)
}

// ReadAt implements [io.ReaderAt]: it reads what Commit would publish now.
func (w *Writer) ReadAt(b []byte, off int64) (int, error) {
	if err := w.stillReadable(); err != nil {
		return 0, err
	}
	n, err := w.up.ReadAt(b, off)
	if err != nil && err != io.EOF {
		err = w.op.s.told("read", w.Name(), err)
	}
	return n, err
}

// still refuses to go on with an upload that the account may not make any more.
func (w *Writer) still() error {
	if w.at.in.allow(toReplace) {
		return w.op.s.Stopped()
	}
	return w.op.s.still(toCreate, w.at.in)
}

// stillReadable refuses to read what the upload has started from, once the account
// may not read files any more.
func (w *Writer) stillReadable() error {
	if w.based {
		return w.op.s.still(toReadBack, w.at.in)
	}
	return w.op.s.Stopped()
}

// stillReplaces lets Commit replace no file, once the account may not any more.
func (w *Writer) stillReplaces() error {
	if !w.replaces || w.at.in.allow(toReplace) {
		return nil
	}
	return aboutHold(w.at, w.up.Rename(w.at.name, false))
}

// Stat describes what Commit would publish now.
func (w *Writer) Stat() (vfs.Info, error) {
	i, err := w.up.Stat()
	return i, w.op.s.told("fstat", w.Name(), err)
}

// Digest is that of what Commit would publish now.
func (w *Writer) Digest(a crypto.Hash) ([]byte, error) {
	return w.op.s.digest("/"+w.Name(), a, func() ([]byte, vfs.Info, error) {
		if err := w.stillReadable(); err != nil {
			return nil, vfs.Info{}, err
		}
		return w.op.s.digestOf(w.up, a)
	})
}

// SetAttr sets what the published file is to have; see [vfs.Upload].
func (w *Writer) SetAttr(a vfs.Attr) error {
	return w.op.s.told("fsetstat", w.Name(), w.setAttr(a))
}

func (w *Writer) setAttr(a vfs.Attr) error {
	if err := checkAttr(a); err != nil {
		return err
	}
	returned := w.state
	w.turn(isTorn)
	err := w.up.SetAttr(a)
	w.state = returned
	if err != nil {
		w.doubt(err)
		return err
	}
	if a.HasSize {
		w.turn(isWritten)
		w.judged.forget()
		w.sum.resized(a.Size)
		w.end, w.wrote, w.fresh = a.Size, true, false
		w.transfer.sized(a.Size)
	}
	w.attr.Add(a)
	return nil
}

// Sync makes what was written survive a crash of the machine.
func (w *Writer) Sync() error {
	err := w.up.Sync()
	w.doubt(err)
	return w.op.s.told("fsync", w.Name(), err)
}

// doubt keeps the first error that left the content in doubt. It is what the
// event tells, however the client then ends the upload. What fails because the
// client is gone is no such error.
func (w *Writer) doubt(err error) {
	if w.err == nil && w.op.s.ctx.Err() == nil {
		w.err = err
	}
}

// Commit publishes the upload, unless its name was removed, renamed or published
// anew meanwhile. On an error nothing was published; but see
// [vfs.ErrUncertain]. An upload under a temporary name may wait for a Rename or
// the session's End.
func (w *Writer) Commit() error {
	w.op.s.mu.Lock()
	defer w.op.s.mu.Unlock()
	if w.waits() {
		return w.hold()
	}
	return w.finish(w.commit)
}

// Cut ends an upload whose client is gone: its beginning may be kept.
func (w *Writer) Cut() error {
	w.op.s.mu.Lock()
	defer w.op.s.mu.Unlock()
	return w.finish(w.keep)
}

// Abandon ends an upload of which nothing is to be kept, because of an error
// that its methods returned, or else of why.
func (w *Writer) Abandon(why string) error {
	w.op.s.mu.Lock()
	defer w.op.s.mu.Unlock()
	return w.finish(func() error {
		if w.err == nil {
			w.err = &vfs.Error{Kind: vfs.ErrCut, Why: why}
		}
		return errors.Join(w.err, w.up.Abort())
	})
}

// errEnded is the error of an upload that is ended twice.
var errEnded = errors.New("the upload has ended")

func (w *Writer) finish(how func() error) error {
	if w.state == ended || w.isHeld() {
		return errEnded
	}
	defer w.transfer.end()
	defer w.op.s.open.Add(-1) // a server that stops waits for it to be published
	return w.conclude(how)
}

// conclude ends an upload, and reports it.
func (w *Writer) conclude(how func() error) (err error) {
	defer w.judged.begin()
	defer w.op.finish(&err)
	defer w.stay() // nothing is to end with its client any more
	defer w.leave()
	return how()
}

// errOvertaken is what the log says of an upload that is left out.
var errOvertaken = &vfs.Error{Kind: vfs.ErrCut, Why: "not published: the name was removed, renamed or published anew meanwhile"}

// leftOut ends an upload that is not to be published. It is false for others.
func (w *Writer) leftOut() (err error, ok bool) {
	switch outcomes[w.state] {
	case leaveOut:
		w.op.aside = errOvertaken
		return w.up.Abort(), true
	case fail:
		w.up.Abort()
		return errPanic(), true
	}
	return nil, false
}

func (w *Writer) commit() error {
	if err, ok := w.leftOut(); ok {
		return err
	}
	if w.op.s.hidden(w.at.name) {
		return w.drop() // the library does not know its name
	}
	// The client has been told OK of one that is held.
	if err := w.still(); err != nil && w.state != held {
		return errors.Join(err, w.up.Abort())
	}
	if err := w.stillReplaces(); err != nil {
		return errors.Join(err, w.up.Abort())
	}
	if below := w.below(); below != nil && !w.wrote {
		// That one is published later, and with what was set here.
		return errors.Join(below.setAttr(w.attr), w.up.Abort())
	}
	if err := w.op.s.mayBeRecorded(); err != nil {
		return errors.Join(err, w.up.Abort())
	}
	err := w.publish()
	if err == nil || errors.Is(err, vfs.ErrUncertain) {
		w.overtake() // an older one must not take the place of what may be there
	}
	return err
}

// publish has the library publish it.
func (w *Writer) publish() error {
	var sum []byte
	if w.wrote {
		sum = w.sum.of(w.ctx, w.up)
	}
	if err := w.mayBeKept(sum); err != nil {
		return errors.Join(err, w.up.Abort())
	}
	c, err := w.up.Commit(w.ctx)
	w.op.event.Gate = w.judged.word()
	if errors.Is(err, errHeld) {
		w.isKept(sum)
		return nil
	}
	if err != nil {
		return err
	}
	w.op.s.sums.note(c.After.Version, sum)
	w.op.made(w.at.in, c)
	w.op.event.New = w.wrote && c.Replaced == vfs.Info{}
	w.op.s.own(w.at, c.After)
	return nil
}

// keep leaves what can be resumed, where that can be.
func (w *Writer) keep() error {
	if err, ok := w.leftOut(); ok {
		return err
	}
	if w.op.s.forgets() {
		return errors.Join(w.op.s.Stopped(), w.up.Abort())
	}
	if err := w.op.s.leave(w.at, w.up); w.err == nil {
		return &vfs.Error{Kind: vfs.ErrCut, Err: err}
	}
	return w.err
}
