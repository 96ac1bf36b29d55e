package vfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// SystemError turns an error of the operating system into an *Error whose
// reason names no path.
func SystemError(op string, err error) error {
	if err == nil {
		return nil
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return err
	}
	cause := fmt.Errorf("%s: %w", op, err)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EMLINK),
		errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOTDIR):
		// O_NOFOLLOW says ELOOP (EMLINK on FreeBSD) of a link, and a socket
		// cannot be opened (ENXIO): neither exists for clients.
		return NotExist()
	case errors.Is(err, fs.ErrExist):
		return &Error{Kind: fs.ErrExist, Why: "a file of that name exists", Err: cause}
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return &Error{Kind: ErrNoSpace, Why: "no space left on the server's disk", Err: cause}
	case errors.Is(err, unix.EFBIG):
		return &Error{Kind: ErrTooLarge, Why: "the file would be larger than the server's disk allows", Err: cause}
	case errors.Is(err, unix.EISDIR):
		return &Error{Kind: ErrName, Why: "the name is taken by something that is not a file of the library", Err: cause}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Kind: fs.ErrPermission, Why: "the server may not access that file", Err: cause}
	case errors.Is(err, unix.EROFS):
		return &Error{Kind: fs.ErrPermission, Why: "the server's disk is read-only", Err: cause}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return cause
	}
	return DiskFailed(cause)
}

// DiskFailed is the error of a disk of the server that has failed.
func DiskFailed(cause error) error {
	return &Error{Kind: ErrIO, Why: "the server's disk failed", Err: cause}
}

// WithoutPath is an error of the system without paths of the host and addresses of
// sockets, for what operators read over the web.
func WithoutPath(err error) error {
	if socket := (*net.OpError)(nil); errors.As(err, &socket) {
		return fmt.Errorf("%s: %w", socket.Op, socket.Err)
	}
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return fmt.Errorf("%s: %w", file.Op, file.Err)
	}
	if files := (*os.LinkError)(nil); errors.As(err, &files) {
		return fmt.Errorf("%s: %w", files.Op, files.Err)
	}
	return err
}
