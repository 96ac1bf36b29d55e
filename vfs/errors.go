package vfs

import (
	"errors"
	"fmt"
	"io/fs"
)

// The kinds of refusal a client can meet beside fs.ErrNotExist, fs.ErrExist
// and fs.ErrPermission. Test for them with errors.Is.
var (
	// ErrName is a name that no file can have.
	ErrName = errors.New("bad name")
	// ErrUnsupported is an operation that does not exist here.
	ErrUnsupported = errors.New("operation unsupported")
	// ErrNoSpace is a disk or quota that is full.
	ErrNoSpace = errors.New("no space")
	// ErrTooLarge is a file or offset past a limit.
	ErrTooLarge = errors.New("too large")
	// ErrTooMany is a count past a limit, such as open files.
	ErrTooMany = errors.New("too many")
	// ErrBadMessage is a packet that does not parse.
	ErrBadMessage = errors.New("bad message")
	// ErrBadHandle is a handle that is not open, or not open for this.
	ErrBadHandle = errors.New("bad handle")
	// ErrIO is a fault of the store.
	ErrIO = errors.New("input/output error")
	// ErrUnavailable is a store that can't be reached: trying again may help.
	ErrUnavailable = errors.New("the store can't be reached; try again")
	// ErrUncertain is a Commit of which nobody knows whether it has published: the
	// name has the old content or the new, whole. It is a Rename, Remove or Restore,
	// too, that is done and may not outlast a crash of the machine.
	ErrUncertain = errors.New("it is not known whether the file was published")
	// ErrCrossLibrary is of a rename from one library to another.
	ErrCrossLibrary = errors.New("a file cannot be renamed into another library; copy it there, and remove it here")
	// ErrContent is content that a gate refuses.
	ErrContent = errors.New("the content is refused")
	// ErrCut is what the client left before it was done.
	ErrCut = errors.New("cut short: the session ended before CLOSE")
)

// Error is a refusal or a fault. Why is written for the person at the client:
// it never holds a path of the host. Err, which may, is for the log.
type Error struct {
	Kind error  // one of the kinds above or of io/fs: what errors.Is finds
	Why  string // a clause without a full stop; "" means Kind says it all
	Err  error  // the cause, or nil
}

// Error is the whole story, for a log.
func (e *Error) Error() string {
	s := e.Reason()
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Reason is what a client may read.
func (e *Error) Reason() string {
	if e.Why != "" {
		return e.Why
	}
	return e.Kind.Error()
}

// Unwrap lets errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// FileTooLarge is the answer where a file would be larger than a limit, in bytes.
func FileTooLarge(limit int64) error {
	return &Error{Kind: ErrTooLarge, Why: fmt.Sprintf("files are limited to %d bytes here", limit)}
}

// NotExist is the answer for all that is not a file of the library.
func NotExist() error { return &Error{Kind: fs.ErrNotExist, Why: "no such file"} }

// Exists is the answer where a file has the name that another should get.
func Exists() error { return &Error{Kind: fs.ErrExist, Why: "a file of that name exists"} }
