package vfs

import (
	"io/fs"
)

// handle is what a handle string stands for: a File, an Upload or a listing.
type handle struct {
	get  *getting
	put  *putting
	list *listing
}

// name is what to call it in a reason.
func (h *handle) name() string {
	switch {
	case h == nil:
		return ""
	case h.get != nil:
		return h.get.op.event.Name
	case h.put != nil:
		return h.put.op.event.Name
	}
	return ""
}

func (h *handle) readAt(p []byte, off int64) (int, error) {
	switch {
	case h.get != nil:
		return h.get.ReadAt(p, off)
	case h.put != nil && h.put.readable:
		return h.put.ReadAt(p, off)
	}
	return 0, &Error{Kind: ErrBadHandle, Why: "that handle is not open for reading"}
}

func (h *handle) upload() (*putting, error) {
	if h.put == nil {
		return nil, &Error{Kind: ErrBadHandle, Why: "that handle is not open for writing"}
	}
	return h.put, nil
}

func (h *handle) stat() (fs.FileInfo, error) {
	switch {
	case h.get != nil:
		return h.get.file.Stat()
	case h.put != nil:
		return h.put.up.Stat()
	}
	return root(), nil
}

// getting is a file open for reading.
type getting struct {
	op   *operation
	file File
	size int64 // bytes, when it was last looked at
}

// within is how many of n bytes at off there are, as far as can be told.
func (g *getting) within(off int64, n int) int {
	if off < 0 {
		return 0
	}
	if off > g.size-int64(n) {
		if i, err := g.file.Stat(); err == nil {
			g.size = i.Size()
		}
	}
	return int(max(0, min(g.size-off, int64(n))))
}

// ReadAt implements io.ReaderAt.
func (g *getting) ReadAt(p []byte, off int64) (int, error) {
	n, err := g.file.ReadAt(p, off)
	g.op.event.Bytes += int64(n)
	return n, err
}

// Close is called by CLOSE and at the end of the session.
func (g *getting) Close() error { return g.end(nil) }

// end reports what was read, and what kept it from being all.
func (g *getting) end(why error) error {
	g.op.report(why)
	return g.file.Close()
}
