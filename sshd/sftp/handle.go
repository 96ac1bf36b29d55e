package sftp

import (
	"io"
	"math"

	"shelf/vfs"
	"shelf/vfs/access"
)

// handle is what a handle string stands for: a file that is read, an upload or a
// listing.
type handle struct {
	get  *access.Reader
	put  *access.Writer
	list *access.Listing
}

// name is what to call it in a reason.
func (h *handle) name() string {
	switch {
	case h == nil:
		return ""
	case h.get != nil:
		return h.get.Name()
	case h.put != nil:
		return h.put.Name()
	}
	return ""
}

// readAt reads what it is open for reading. No file has bytes at 2^63 or behind
// it, and the system takes a read that goes so far for an error.
func (h *handle) readAt(p []byte, off uint64) (int, error) {
	if h.get == nil && (h.put == nil || !h.put.Readable()) {
		return 0, notForReading()
	}
	if off >= math.MaxInt64 {
		return 0, io.EOF
	}
	p = p[:min(uint64(len(p)), math.MaxInt64-off)]
	if h.get != nil {
		return h.get.ReadAt(p, int64(off))
	}
	return h.put.ReadAt(p, int64(off))
}

func notForReading() error {
	return &vfs.Error{Kind: vfs.ErrBadHandle, Why: "that handle is not open for reading"}
}

func (h *handle) upload() (*access.Writer, error) {
	if h.put == nil {
		return nil, &vfs.Error{Kind: vfs.ErrBadHandle, Why: "that handle is not open for writing"}
	}
	return h.put, nil
}

func (h *handle) stat() (vfs.Info, error) {
	switch {
	case h.get != nil:
		return h.get.Stat()
	case h.put != nil:
		return h.put.Stat()
	}
	return access.Root(), nil
}
