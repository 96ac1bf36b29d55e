package access

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"shelf/vfs"
)

// operation is one that is under way: it becomes one Event.
type operation struct {
	s     *Session
	name  string // what the log calls it
	path  string // what the client calls the file
	event vfs.Event
	quiet bool  // it is not reported
	aside error // the error in the event when the client is told OK
}

func (s *Session) begin(a action, path string) *operation {
	r, at := policy[a], s.locate(path)
	e := vfs.Event{Op: r.name, Start: time.Now()}
	e.Library, e.Name = at.called()
	return &operation{s: s, name: r.name, path: at.path(), event: e, quiet: !r.event}
}

// started is deferred by calls that open something. It reports a refusal; success
// is reported when that is closed. A panic becomes an error, and an error what a client reads.
func (op *operation) started(err *error) {
	op.recovered(recover(), err)
	if *err != nil {
		op.report(*err)
		*err = op.s.told(op.name, op.path, *err)
	}
}

// finish is deferred by what is done at once.
// If its event cannot be recorded, it is not acknowledged.
func (op *operation) finish(err *error) {
	op.recovered(recover(), err)
	if unrecorded := op.report(*err); unrecorded != nil && *err == nil {
		*err = &vfs.Error{Kind: vfs.ErrIO, Why: "it was done, but the server cannot record it"}
	}
	*err = op.s.told(op.name, op.path, *err)
}

func (op *operation) recovered(p any, err *error) {
	if p != nil {
		*err = op.s.Panicked(p)
	}
}

func (op *operation) report(err error) error {
	if op.quiet {
		return nil
	}
	e := op.event
	if err == nil {
		err = op.aside
	}
	e.Duration, e.Err = time.Since(e.Start), err
	return op.s.report(e)
}

// Unserved reports a request for what there is not in a library, by its name and
// that of what it is about.
func (s *Session) Unserved(op, path, target string, err error) {
	library, name := s.locate(path).called()
	s.report(vfs.Event{Op: op, Library: library, Name: name, Target: target, Start: time.Now(), Err: err, Unserved: true})
}

// made notes what an operation has made in a library.
func (op *operation) made(in *share, c vfs.Change) {
	sums := op.s.sums
	op.event.File, op.event.Replaced = sums.Content(c.After), sums.Content(c.Replaced)
	op.event.Durable = in.Properties().Durable
}

// mayBeRecorded refuses to change anything while events cannot be recorded.
func (s *Session) mayBeRecorded() error {
	if s.ready() != nil { // who writes the events has logged why
		return &vfs.Error{Kind: vfs.ErrUnavailable, Why: "the server cannot record what is done, so nothing is changed"}
	}
	return nil
}

// fileToChange resolves the path of a file that is about to be changed, unless that
// cannot be recorded.
func (s *Session) fileToChange(path string) (place, error) {
	if err := s.mayBeRecorded(); err != nil {
		return place{}, err
	}
	return s.file(path)
}

// told is what a client reads of an error of the library. What is not a plain
// refusal is the server's fault, and goes to the log.
func (s *Session) told(op, name string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if s.ctx.Err() != nil && errors.Is(err, s.ctx.Err()) {
		return &vfs.Error{Kind: vfs.ErrCut, Why: "the client is gone"}
	}
	e := (*vfs.Error)(nil)
	known := errors.As(err, &e)
	if !known || e.Err != nil {
		s.log.Error("operation failed", "operation", op, "name", vfs.Clip(name), "error", err)
	}
	if !known {
		return &vfs.Error{Kind: vfs.ErrIO, Why: "the server failed"}
	}
	return &vfs.Error{Kind: e.Kind, Why: e.Why}
}

// Panicked counts and logs a panic, and is what a client reads of it.
func (s *Session) Panicked(value any) error {
	if s.panics != nil {
		s.panics.Add(1)
	}
	s.log.Error("panic", "value", fmt.Sprint(value), "stack", string(debug.Stack()))
	return errPanic()
}

func errPanic() error {
	return &vfs.Error{Kind: vfs.ErrIO, Why: "the server failed; the request was not done"}
}
