package vfs

import (
	"strings"
	"time"
)

// operation is a request by name on its way: it becomes one Event.
type operation struct {
	h     *handlers
	event Event
	quiet bool  // it is no deed, or half of one
	aside error // what the event says of what the client is told was done
}

func (h *handlers) begin(op, path string) *operation {
	e := Event{Op: op, Name: strings.TrimPrefix(path, "/"), Start: time.Now()}
	return &operation{h: h, event: e, quiet: op == "stat" || op == "statvfs"}
}

// end is deferred by what opens a handle, whose closing reports: only a refusal
// is reported now. It turns a panic into an error, and an error into what
// pkg/sftp sends.
func (op *operation) end(err *error) {
	op.recovered(recover(), err)
	if *err != nil {
		op.report(*err)
		*err = op.h.refuse(op.event.Op, op.event.Name, *err)
	}
}

// finish is deferred by what is done at once.
func (op *operation) finish(err *error) {
	op.recovered(recover(), err)
	op.report(*err)
	*err = op.h.refuse(op.event.Op, op.event.Name, *err)
}

// done is finish for what the session answers itself: the error stays as it is.
func (op *operation) done(err *error) {
	op.recovered(recover(), err)
	op.report(*err)
}

func (op *operation) recovered(p any, err *error) {
	if p != nil {
		op.h.logPanic(p)
		*err = errPanic()
	}
}

func (op *operation) report(err error) {
	if op.quiet {
		return
	}
	e := op.event
	if err == nil {
		err = op.aside
	}
	e.Duration, e.Err = time.Since(e.Start), err
	op.h.o.Report(e)
}
