package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// The codes of STATUS (draft-ietf-secsh-filexfer-02 section 7).
const (
	fxOK                = 0
	fxEOF               = 1
	fxNoSuchFile        = 2
	fxPermissionDenied  = 3
	fxFailure           = 4
	fxOpUnsupported     = 8
	fxFileAlreadyExists = 11 // of version 4 and later
)

// status is a refusal of the server.
type status struct {
	code uint32
	text string // the server's own, as it came
}

// statusOf is the error that a STATUS stands for, if it is one.
func statusOf(r *reply) error {
	code := r.uint32()
	text := r.string() // an old server may send none
	switch code {
	case fxOK:
		return nil
	case fxEOF:
		return io.EOF
	}
	const longest = 1024
	return &status{code, text[:min(len(text), longest)]}
}

// plain are texts that say no more than the code, and what the code says here.
func (s *status) plain() string {
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
	return fmt.Sprintf("the server says %d", s.code)
}

// Error is the server's reason, made safe to print.
func (s *status) Error() string {
	if s.text == "" || strings.EqualFold(s.text, s.plain()) {
		return s.plain()
	}
	return printable(s.text)
}

// Is makes the codes the errors of package fs.
func (s *status) Is(target error) bool {
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

// explain adds to a refusal that has no reason the one that the server wrote
// beside it, and gives an interrupted request a plain word.
func (c *channel) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	if s := (*status)(nil); errors.As(err, &s) && s.Error() == s.plain() && s.code != fxNoSuchFile {
		if why := c.reasons.last(); why != "" {
			return fmt.Errorf("%w: %s", err, printable(why))
		}
	}
	return err
}

var errInterrupted = errors.New("interrupted")
