package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// The codes of a STATUS (draft-ietf-secsh-filexfer-02 section 7).
const (
	fxOK                = 0
	fxEOF               = 1
	fxNoSuchFile        = 2
	fxPermissionDenied  = 3
	fxFailure           = 4
	fxOpUnsupported     = 8
	fxFileAlreadyExists = 11 // of version 4 and later
)

// Status is an error that the server replied.
type Status struct {
	code uint32
	text string // the server's text, as it came
}

// statusOf turns a STATUS into an error, or nil for OK.
func statusOf(r *reply) error {
	code := r.uint32()
	text := r.string() // an old server may send no text
	switch code {
	case fxOK:
		return nil
	case fxEOF:
		return io.EOF
	}
	const longest = 1024
	return &Status{code, text[:min(len(text), longest)]}
}

// plain says what the code means.
func (s *Status) plain() string {
	switch s.code {
	case fxNoSuchFile:
		return "no such file"
	case fxPermissionDenied:
		return "permission denied"
	case fxFailure:
		return "failure"
	case fxOpUnsupported:
		return "operation unsupported"
	}
	return fmt.Sprintf("the server replied code %d", s.code)
}

// Error is the text of the server if it says more than the code. It is not safe to
// print.
func (s *Status) Error() string {
	if s.text == "" || strings.EqualFold(s.text, s.plain()) {
		return s.plain()
	}
	return s.text
}

// Is maps codes to errors of package fs.
func (s *Status) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return s.code == fxNoSuchFile
	case fs.ErrPermission:
		return s.code == fxPermissionDenied
	case errors.ErrUnsupported:
		return s.code == fxOpUnsupported
	}
	return false
}

// explain adds to a STATUS without a text of its own what the server wrote beside
// it. If ctx has ended, the cause of that is the error.
func (c *channel) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s := (*Status)(nil); errors.As(err, &s) && s.Error() == s.plain() && s.code != fxNoSuchFile {
		if why := c.reasons.last(); why != "" {
			return fmt.Errorf("%w: %s", err, why)
		}
	}
	return err
}
