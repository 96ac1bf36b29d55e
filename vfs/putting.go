package vfs

import (
	"errors"

	"github.com/pkg/sftp"
)

// putting is an upload under way.
type putting struct {
	op        *operation
	name      string
	up        Upload
	readable  bool
	append    bool     // every WRITE goes to the end, whatever its offset says
	end       int64    // where that is
	torn      bool     // a call into up has not returned: it panicked
	cut       error    // the session ended first
	over      *putting // an upload of the same name that was open when this began
	dropped   bool     // the name stands for something else by now: see drop
	late      bool     // a later one was published first: see supersede
	wrote     bool     // there is something to publish
	again     bool     // it was changed since another was opened over it
	attr      Attr     // mode and times that were set
	ended     bool
	published bool
}

func newPutting(op *operation, name string, up Upload, f sftp.FileOpenFlags) (*putting, error) {
	i, err := up.Stat()
	if err != nil {
		return nil, err
	}
	return &putting{op: op, name: name, up: up, readable: f.Read, append: f.Append, end: i.Size(), wrote: f.Trunc}, nil
}

// WriteAt implements io.WriterAt.
func (p *putting) WriteAt(b []byte, off int64) (int, error) {
	if p.append {
		off = p.end
	}
	p.torn, p.late, p.wrote, p.again = true, false, true, true
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
		p.end, p.late, p.wrote, p.again = a.Size, false, true, true
	}
	if err == nil {
		p.attr.merge(a)
	}
	return err
}

// merge adds the mode and times of b to those of a.
func (a *Attr) merge(b Attr) {
	if b.HasMode {
		a.HasMode, a.Mode = true, b.Mode
	}
	if b.HasTimes {
		a.HasTimes, a.Atime, a.Mtime = true, b.Atime, b.Mtime
	}
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

// errOvertaken is what the log says of an upload that CLOSE does not publish.
var errOvertaken = errors.New("not published: the name was removed, renamed or published anew meanwhile")

// Close is called by CLOSE, and publishes; and at the end of the session, where
// an upload that nobody closed is aborted.
func (p *putting) Close() (err error) {
	p.forget()
	defer p.op.finish(&err)
	defer p.uncover()
	if p.dropped || p.late {
		p.op.aside = errOvertaken
		return p.up.Abort()
	}
	if p.cut == nil && !p.torn {
		return p.commit()
	}
	if p.torn {
		p.up.Abort()
		return errPanic()
	}
	return p.keep()
}

// abandon ends an upload of which nothing is to be kept.
func (p *putting) abandon(why error) (err error) {
	p.forget()
	defer p.op.finish(&err)
	defer p.uncover()
	return errors.Join(why, p.up.Abort())
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
	if q := p.under(); q != nil && !p.wrote {
		// What it was opened over is published later, and with what was set here.
		return errors.Join(q.setAttr(p.attr), p.up.Abort())
	}
	i, err := p.up.Stat()
	if err != nil {
		p.up.Abort()
		return err
	}
	if err := p.up.Commit(p.op.h.ctx); err != nil {
		return err
	}
	p.published = true
	p.supersede()
	p.op.h.own(p.name, i)
	return nil
}
