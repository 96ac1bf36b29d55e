package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/pkg/sftp"
)

// The codes of SSH_FXP_STATUS (draft-ietf-secsh-filexfer-02 section 7).
const (
	fxOK               = 0
	fxEOF              = 1
	fxNoSuchFile       = 2
	fxPermissionDenied = 3
	fxFailure          = 4
	fxBadMessage       = 5
	fxOpUnsupported    = 8
)

// statusOf is the one place where an error becomes what a client reads: a code
// and a text without a path of the host.
func statusOf(err error) (code uint32, msg string) {
	switch {
	case err == nil:
		return fxOK, "OK"
	case errors.Is(err, io.EOF):
		return fxEOF, "end of file"
	}
	e := (*Error)(nil)
	if !errors.As(err, &e) {
		return fxFailure, "the server failed"
	}
	return codeOf(e), e.Reason()
}

// codeOf goes by the kind alone: the cause is another's error.
func codeOf(e *Error) uint32 {
	switch e.Kind {
	case fs.ErrNotExist:
		return fxNoSuchFile
	case fs.ErrPermission:
		return fxPermissionDenied
	case ErrBadMessage:
		return fxBadMessage
	case ErrUnsupported:
		return fxOpUnsupported
	}
	return fxFailure
}

// statusError is an error on its way through pkg/sftp, which sends Error's text
// as it is and finds the code by unwrapping.
type statusError struct {
	code uint32
	msg  string
}

func (e statusError) Error() string { return e.msg }

func (e statusError) Unwrap() error {
	switch e.code {
	case fxEOF:
		return sftp.ErrSSHFxEOF
	case fxNoSuchFile:
		return sftp.ErrSSHFxNoSuchFile
	case fxPermissionDenied:
		return sftp.ErrSSHFxPermissionDenied
	case fxBadMessage:
		return sftp.ErrSSHFxBadMessage
	case fxOpUnsupported:
		return sftp.ErrSSHFxOpUnsupported
	}
	return sftp.ErrSSHFxFailure
}

// unsupported says why an operation does not exist here.
func unsupported(k kind) error {
	why := "the server does not know that operation"
	switch k {
	case fxpMkdir, fxpRmdir:
		why = "the library has no folders"
	case fxpSymlink, fxpReadlink:
		why = "the library has no links"
	}
	return &Error{Kind: ErrUnsupported, Why: why}
}

// denied is the refusal of an account that lacks a permission.
func denied(why string) error { return &Error{Kind: fs.ErrPermission, Why: why} }

// maxReasons bounds what a session writes to stderr, in bytes: it shares the
// channel's window with the replies, and some clients never read it.
const maxReasons = 16 << 10

// reasons writes the reasons of refusals for the person at the client. It has a
// channel of its own because OpenSSH's sftp prints only the code of a STATUS.
type reasons struct {
	w    io.Writer
	sent int
}

// say writes one line, such as: rm "a": this account may not delete files
func (r *reasons) say(op, name, why string) {
	line := op + ": " + why
	if name != "" {
		line = op + " " + Printable(name) + ": " + why
	}
	if r.w == nil || r.sent > maxReasons {
		return
	}
	if r.sent += len(line); r.sent > maxReasons {
		line = "further reasons are left out"
	}
	io.WriteString(r.w, line+"\n")
}

// Printable is a name quoted, with everything that a terminal or a log might
// act on escaped.
func Printable(name string) string {
	const most = 2 * MaxName
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "..."
	}
	return fmt.Sprintf("%q", name)
}
