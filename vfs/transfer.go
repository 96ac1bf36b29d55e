package vfs

import (
	"errors"
	"io/fs"

	"github.com/pkg/sftp"
)

// Open opens a file for reading.
func (a *Access) Open(p string) (*Reader, error) {
	g, err := a.h.get(clean(p))
	if err != nil {
		return nil, err
	}
	a.count.Add(1)
	return &Reader{g, a}, nil
}

// Reader is a file that is read; it is to be closed.
type Reader struct {
	g *getting
	a *Access
}

// ReadAt implements [io.ReaderAt].
func (r *Reader) ReadAt(p []byte, off int64) (int, error) { return r.g.ReadAt(p, off) }

// Stat describes the version that is read.
func (r *Reader) Stat() (fs.FileInfo, error) {
	i, err := r.g.file.Stat()
	return i, r.a.h.refuse("get", r.g.op.event.Name, err)
}

// Close reports what was read; why is what kept it from being all, or nil.
func (r *Reader) Close(why error) {
	r.a.count.Add(-1)
	r.g.end(why)
}

// Create begins an upload that replaces what has the name.
func (a *Access) Create(p string, mode fs.FileMode) (*Writer, error) {
	put, err := a.h.put(clean(p), sftp.FileOpenFlags{Write: true, Creat: true, Trunc: true}, mode)
	if err != nil {
		return nil, err
	}
	a.count.Add(1)
	return &Writer{p: put, a: a}, nil
}

// Writer is an upload. One of Commit, Cut and Abandon ends it; after that they
// do nothing.
type Writer struct {
	p     *putting
	a     *Access
	err   error // the first
	ended bool
}

// WriteAt implements [io.WriterAt].
func (w *Writer) WriteAt(p []byte, off int64) (int, error) {
	n, err := w.p.WriteAt(p, off)
	return n, w.fail(err)
}

// SetAttr sets what the published file is to have; see [Upload].
func (w *Writer) SetAttr(a Attr) error { return w.fail(w.p.setAttr(a)) }

// fail keeps the first error, for the event, and returns what the client reads.
func (w *Writer) fail(err error) error {
	if err == nil {
		return nil
	}
	if w.err == nil {
		w.err = err
	}
	code, msg := statusOf(err)
	return statusError{code, msg}
}

// Commit publishes the upload; on an error nothing was published.
func (w *Writer) Commit() error { return w.end(w.p.Close) }

// Cut ends an upload whose client is gone: its beginning may be kept.
func (w *Writer) Cut() error {
	w.p.TransferError(errCut)
	return w.end(w.p.Close)
}

// Abandon ends an upload of which nothing is to be kept, because of an error
// that its methods returned, or else of why.
func (w *Writer) Abandon(why string) error {
	if w.err == nil {
		w.err = &Error{Kind: errCut, Why: why}
	}
	return w.end(func() error { return w.p.abandon(w.err) })
}

var errEnded = errors.New("the upload has ended")

func (w *Writer) end(how func() error) error {
	if w.ended {
		return errEnded
	}
	w.ended = true
	defer w.a.count.Add(-1) // a server that stops waits for it to be published
	return how()
}
