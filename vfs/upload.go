package vfs

import (
	"io"
	"io/fs"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// maxExtents bounds the memory of an upload written in scattered pieces: past
// it the holes are filled early (16 bytes an extent: 1 MiB).
const maxExtents = 1 << 16

// upload is a file in the making: a stage over the base it replaces.
type upload struct {
	d         *Dir
	name      string
	o         CreateOptions
	attempt   attempt
	stage     *stage
	base      *os.File // the version the upload starts from, or nil
	baseEnd   int64    // bytes of base that still show through holes
	size      int64    // bytes
	written   extents
	changed   bool // the content differs from base
	mode      fs.FileMode
	attr      Attr  // mode and times to set at Commit
	roomUntil int64 // offset up to which the disk was found to have room
	charged   int64 // bytes of the quota it holds
	settled   bool  // written no longer tells where the holes were
	err       error // the first that left the content in doubt
	done      bool
}

// WriteAt implements [Upload].
func (u *upload) WriteAt(p []byte, off int64) (int, error) {
	if err := u.usable(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	end := off + int64(len(p))
	if off < 0 || end < 0 {
		end = math.MaxInt64
	}
	if err := u.grow(end); err != nil {
		return 0, u.fail(err)
	}
	if off < u.stage.saved {
		if err := u.stage.unsave(); err != nil {
			return 0, u.fail(err)
		}
	}
	n, err := u.stage.WriteAt(p, off)
	u.changed = u.changed || n > 0
	u.written.add(off, off+int64(n))
	u.size = max(u.size, off+int64(n))
	if err != nil {
		return n, u.fail(storeError("write", err))
	}
	if len(u.written) > maxExtents {
		return n, u.fail(u.settle())
	}
	return n, nil
}

// settle fills every hole now and forgets where they were.
func (u *upload) settle() error {
	if err := u.fill(); err != nil {
		return err
	}
	if err := u.setLength(); err != nil {
		return err
	}
	u.written, u.settled = extents{{0, u.size}}, true
	return nil
}

// ReadAt implements [Upload].
func (u *upload) ReadAt(p []byte, off int64) (int, error) {
	if u.done {
		return 0, &Error{Kind: ErrBadHandle}
	}
	if off < 0 || off >= u.size {
		return 0, io.EOF
	}
	want := len(p)
	p = p[:min(int64(want), u.size-off)]
	n := 0
	for span, written := range u.written.spans(off, off+int64(len(p))) {
		piece := p[n : n+int(span.end-span.off)]
		if err := u.readSpan(piece, span.off, written); err != nil {
			return n, storeError("read", err)
		}
		n += len(piece)
	}
	if n < want {
		return n, io.EOF
	}
	return n, nil
}

// readSpan reads a piece that lies wholly in the stage or wholly in a hole,
// where the base shows through as far as it goes and zeros follow.
func (u *upload) readSpan(p []byte, off int64, written bool) error {
	src, n := u.base, max(0, min(int64(len(p)), u.baseEnd-off))
	if written {
		src, n = u.stage.File, int64(len(p))
	}
	clear(p[n:])
	if n == 0 {
		return nil
	}
	_, err := src.ReadAt(p[:n], off)
	return noEOF(err) // a base that became shorter
}

// Stat implements [Upload].
func (u *upload) Stat() (fs.FileInfo, error) {
	f := u.stage.File
	if !u.changed {
		f = u.base
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, storeError("fstat", err)
	}
	i, _ := infoOf(u.name, &st)
	i.size, i.mode = u.size, u.mode
	if u.attr.HasMode {
		i.mode = FileMode(u.attr.Mode)
	}
	if u.attr.HasTimes {
		i.mtime = u.attr.Mtime
	}
	return i, nil
}

// SetAttr implements [Upload].
func (u *upload) SetAttr(a Attr) error {
	if err := u.usable(); err != nil {
		return err
	}
	if a.HasSize {
		if err := u.truncate(a.Size); err != nil {
			return u.fail(err)
		}
	}
	if a.HasMode {
		u.attr.HasMode, u.attr.Mode = true, a.Mode
	}
	if a.HasTimes {
		u.attr.HasTimes, u.attr.Atime, u.attr.Mtime = true, a.Atime, a.Mtime
	}
	return nil
}

// truncate makes the upload size bytes long; what it gains reads as zeros.
func (u *upload) truncate(size int64) error {
	if size < 0 {
		size = math.MaxInt64
	}
	if err := u.grow(size); err != nil {
		return err
	}
	if size < u.size {
		if size < u.stage.saved {
			if err := u.stage.unsave(); err != nil {
				return err
			}
		}
		// Stale bytes past the end must not come back if it grows again.
		if err := u.stage.Truncate(min(size, u.stageEnd())); err != nil {
			return storeError("truncate", err)
		}
		u.written.truncate(size)
	}
	u.changed = u.changed || size != u.size
	u.size, u.baseEnd = size, min(u.baseEnd, size)
	return nil
}

// stageEnd is the length of the stage file.
func (u *upload) stageEnd() int64 {
	if n := len(u.written); n > 0 {
		return u.written[n-1].end
	}
	return 0
}

// usable is the error that ended the upload, or nil.
func (u *upload) usable() error {
	if u.done {
		return &Error{Kind: ErrBadHandle, Why: "the upload has ended"}
	}
	return u.err
}

// fail keeps the first error.
func (u *upload) fail(err error) error {
	if u.err == nil {
		u.err = err
	}
	return err
}
