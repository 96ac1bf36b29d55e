package sftp

import (
	"errors"
	"io"
	"io/fs"

	"github.com/pkg/sftp"

	"shelf/vfs"
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

// status is what a STATUS says. As an error it goes through pkg/sftp, which
// sends Error's text as it is and finds the code by unwrapping.
type status struct {
	code uint32
	text string
}

// statusOf is the one place where an error becomes a code and a text.
func statusOf(err error) status {
	switch {
	case err == nil:
		return status{fxOK, "OK"}
	case errors.Is(err, io.EOF):
		return status{fxEOF, "end of file"}
	}
	e := (*vfs.Error)(nil)
	if !errors.As(err, &e) {
		return status{fxFailure, "the server failed"}
	}
	return status{codeOf(e), e.Reason()}
}

// codeOf goes by the kind alone: the cause is another's error.
func codeOf(e *vfs.Error) uint32 {
	switch e.Kind {
	case fs.ErrNotExist:
		return fxNoSuchFile
	case fs.ErrPermission:
		return fxPermissionDenied
	case vfs.ErrBadMessage:
		return fxBadMessage
	case vfs.ErrUnsupported:
		return fxOpUnsupported
	}
	return fxFailure
}

func (s status) Error() string { return s.text }

func (s status) Unwrap() error {
	switch s.code {
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
	case fxpSymlink, fxpReadlink:
		why = "the library has no links"
	}
	return &vfs.Error{Kind: vfs.ErrUnsupported, Why: why}
}
