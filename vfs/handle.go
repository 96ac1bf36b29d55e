package vfs

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/pkg/sftp"
)

// handle is what a handle string stands for: a File, an Upload, or neither for
// a listing.
type handle struct {
	get *getting
	put *putting
}

// name is what to call it in a reason.
func (h *handle) name() string {
	switch {
	case h == nil:
		return ""
	case h.get != nil:
		return h.get.op.event.Name
	case h.put != nil:
		return h.put.op.event.Name
	}
	return ""
}

func (h *handle) readAt(p []byte, off int64) (int, error) {
	switch {
	case h.get != nil:
		return h.get.ReadAt(p, off)
	case h.put != nil && h.put.readable:
		return h.put.ReadAt(p, off)
	}
	return 0, &Error{Kind: ErrBadHandle, Why: "that handle is not open for reading"}
}

func (h *handle) upload() (*putting, error) {
	if h.put == nil {
		return nil, &Error{Kind: ErrBadHandle, Why: "that handle is not open for writing"}
	}
	return h.put, nil
}

func (h *handle) stat() (fs.FileInfo, error) {
	switch {
	case h.get != nil:
		return h.get.file.Stat()
	case h.put != nil:
		return h.put.up.Stat()
	}
	return root(), nil
}

// getting is a file open for reading.
type getting struct {
	op   *operation
	file File
}

// ReadAt implements io.ReaderAt.
func (g *getting) ReadAt(p []byte, off int64) (int, error) {
	n, err := g.file.ReadAt(p, off)
	g.op.event.Bytes += int64(n)
	return n, err
}

// Close is called by CLOSE and at the end of the session.
func (g *getting) Close() error {
	g.op.report(nil)
	return g.file.Close()
}

// putting is an upload under way.
type putting struct {
	op       *operation
	name     string
	up       Upload
	readable bool
	append   bool  // every WRITE goes to the end, whatever its offset says
	end      int64 // where that is
	torn     bool  // a call into up has not returned: it panicked
	cut      error // the session ended first
}

func newPutting(op *operation, name string, up Upload, f sftp.FileOpenFlags) (*putting, error) {
	i, err := up.Stat()
	if err != nil {
		return nil, err
	}
	return &putting{op: op, name: name, up: up, readable: f.Read, append: f.Append, end: i.Size()}, nil
}

// WriteAt implements io.WriterAt.
func (p *putting) WriteAt(b []byte, off int64) (int, error) {
	if p.append {
		off = p.end
	}
	p.torn = true
	n, err := p.up.WriteAt(b, off)
	p.torn = false
	p.end = max(p.end, off+int64(n))
	p.op.event.Bytes += int64(n)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (p *putting) ReadAt(b []byte, off int64) (int, error) { return p.up.ReadAt(b, off) }

func (p *putting) setAttr(a Attr) error {
	if err := checkAttr(a); err != nil {
		return err
	}
	p.torn = true
	err := p.up.SetAttr(a)
	p.torn = false
	if err == nil && a.HasSize {
		p.end = a.Size
	}
	return err
}

// checkAttr refuses what no account may set.
func checkAttr(a Attr) error {
	if a.HasOwner {
		return denied("files here have no owner to change")
	}
	return nil
}

// errCut is the end of an upload that was not closed.
var errCut = errors.New("cut short: the session ended before CLOSE")

// TransferError is called before Close when the session ended without CLOSE.
func (p *putting) TransferError(err error) { p.cut = err }

// Close is called by CLOSE, and publishes; and at the end of the session, where
// an upload that nobody closed is aborted.
func (p *putting) Close() (err error) {
	h := p.op.h
	if h.pending[p.name] == p {
		delete(h.pending, p.name)
	}
	defer p.op.finish(&err)
	if p.cut == nil && !p.torn {
		return p.commit()
	}
	if p.torn {
		p.up.Abort()
		return errPanic()
	}
	return p.keep()
}

// keep ends an upload that was cut so that it can be resumed, where it can.
func (p *putting) keep() error {
	end := p.up.Abort
	if k, ok := p.up.(Keeper); ok {
		end = k.Keep
	}
	return &Error{Kind: errCut, Err: end()}
}

// commit publishes and remembers the version as this session's own.
func (p *putting) commit() error {
	i, err := p.up.Stat()
	if err != nil {
		p.up.Abort()
		return err
	}
	if err := p.up.Commit(p.op.h.ctx); err != nil {
		return err
	}
	p.op.h.own(p.name, i)
	return nil
}

// list answers OPENDIR.
func (h *handlers) list(r *sftp.Request) (_ sftp.ListerAt, err error) {
	op := h.begin("list", r.Filepath)
	defer op.end(&err)
	n, err := name(r.Filepath)
	switch {
	case err != nil:
		return nil, err
	case n != "":
		return nil, &Error{Kind: fs.ErrNotExist, Why: "no such folder; the library has none"}
	case !h.o.Permissions.List:
		return nil, denied("this account may not list files")
	}
	next, stop := iter.Pull2(h.o.Library.List(h.ctx))
	return &listing{op: op, next: next, stop: stop}, nil
}

// listing is an open folder, read a batch at a time.
type listing struct {
	op   *operation
	next func() (fs.FileInfo, error, bool)
	stop func()
}

// ListAt implements [sftp.ListerAt]; batches are asked for in order.
func (l *listing) ListAt(to []os.FileInfo, _ int64) (n int, err error) {
	defer func() {
		op := *l.op
		op.recovered(recover(), &err)
		if err != nil && err != io.EOF {
			err = op.h.refuse("list", "", err)
		}
	}()
	for n < len(to) {
		i, err, ok := l.next()
		if !ok {
			return n, io.EOF
		}
		if err != nil {
			return n, err
		}
		to[n] = i
		n++
	}
	return n, nil
}

// Close implements io.Closer.
func (l *listing) Close() error {
	l.stop()
	l.op.report(nil)
	return nil
}
