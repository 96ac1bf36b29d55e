// Package spool is an upload in the making on a local disk: the bytes that were
// written so far, over the version of the file that the upload starts from.
//
//	spool.go   File: write, read, resize, and what a reader would see now
//	whole.go   filling the holes, so that the file on disk is the whole upload
//	extent.go  which bytes were written
//	folder.go  Folder: where such files lie, and how much they take together
//	punch_*.go giving back what a span of a file takes
//
// A store makes the file on disk, sets the limits, and publishes the result;
// where and how is its own affair.
package spool

import (
	"io"
	"math"
	"os"

	"shelf/vfs"
)

// maxExtents bounds the memory of an upload written in scattered pieces: past
// it the holes are filled early (16 bytes an extent: 1 MiB).
const maxExtents = 1 << 16

// Base is the version of a file that an upload starts from.
type Base interface {
	io.ReaderAt
	io.Closer
}

// Owner is asked by a File before anything happens: limits, quota and the room on
// the disk are looked at here. An error refuses it. All are in bytes.
type Owner interface {
	// Write is asked before the bytes from off to end are written.
	Write(off, end int64) error
	// Resize is asked before the upload gets another length.
	Resize(size int64) error
	// Copy is asked before n bytes of the base are copied.
	Copy(n int64) error
}

// File is an upload in the making. It belongs to one goroutine.
//
// The first error of WriteAt or Truncate that leaves the content in doubt is
// kept, and is the error of every later one; see [File.Err].
type File struct {
	disk    *os.File
	owner   Owner
	base    Base  // or nil
	baseEnd int64 // bytes of base that still show through holes
	size    int64 // bytes
	written extents
	changed bool // the content differs from base
	settled bool // written no longer tells where the holes were
	err     error
}

// New is an upload that starts from nothing. The file on disk, which the File
// takes, is empty.
func New(disk *os.File, o Owner) *File { return &File{disk: disk, owner: o, changed: true} }

// Over is an upload that starts from the first size bytes of a base. Both files
// are taken.
func Over(disk *os.File, o Owner, base Base, size int64) *File {
	return &File{disk: disk, owner: o, base: base, baseEnd: size, size: size}
}

// Resume is an upload of which the first size bytes lie on the disk already.
func Resume(disk *os.File, o Owner, size int64) *File {
	f := New(disk, o)
	f.size = size
	f.written.add(0, size)
	return f
}

// Size is the length of what would be published now, in bytes.
func (f *File) Size() int64 { return f.size }

// Changed tells whether the content differs from that of the base.
func (f *File) Changed() bool { return f.changed }

// Err is the first error that left the content in doubt, or nil.
func (f *File) Err() error { return f.err }

// Fail keeps an error as the first, unless there was one, and returns it.
func (f *File) Fail(err error) error {
	if f.err == nil {
		f.err = err
	}
	return err
}

// Prefix is how many bytes from the start were written without a gap, of an
// upload that starts from nothing; 0 if that is not known.
func (f *File) Prefix() int64 {
	if f.err != nil || f.settled || f.base != nil {
		return 0
	}
	return f.written.prefix()
}

// Written tells whether all bytes from off to end were written.
func (f *File) Written(off, end int64) bool {
	for _, written := range f.written.spans(off, end) {
		if !written {
			return false
		}
	}
	return true
}

// Untouched tells whether the bytes from off to end are those of the base.
func (f *File) Untouched(off, end int64) bool {
	for _, written := range f.written.spans(off, end) {
		if written {
			return false
		}
	}
	return end <= f.baseEnd
}

// WriteAt writes p at off (bytes), past the end too: what lies between reads as
// zeros.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	if f.err != nil || len(p) == 0 {
		return 0, f.err
	}
	end := off + int64(len(p))
	if off < 0 || end < 0 {
		end = math.MaxInt64
	}
	if err := f.owner.Write(off, end); err != nil {
		return 0, f.Fail(err)
	}
	n, err := f.disk.WriteAt(p, off)
	f.changed = f.changed || n > 0
	f.written.add(off, off+int64(n))
	f.size = max(f.size, off+int64(n))
	if err != nil {
		return n, f.Fail(vfs.SystemError("write", err))
	}
	if len(f.written) > maxExtents {
		return n, f.Fail(f.settle())
	}
	return n, nil
}

// Truncate makes the upload size bytes long; what it gains reads as zeros.
func (f *File) Truncate(size int64) error {
	if f.err != nil {
		return f.err
	}
	if size < 0 {
		size = math.MaxInt64
	}
	return f.Fail(f.truncate(size))
}

func (f *File) truncate(size int64) error {
	if err := f.owner.Resize(size); err != nil {
		return err
	}
	if size < f.size {
		// Stale bytes past the end must not come back if it grows again.
		if err := f.disk.Truncate(min(size, f.diskEnd())); err != nil {
			return vfs.SystemError("truncate", err)
		}
		f.written.truncate(size)
	}
	f.changed = f.changed || size != f.size
	f.size, f.baseEnd = size, min(f.baseEnd, size)
	return nil
}

// ReadAt reads what would be published now.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= f.size {
		return 0, io.EOF
	}
	want := len(p)
	p = p[:min(int64(want), f.size-off)]
	n := 0
	for span, written := range f.written.spans(off, off+int64(len(p))) {
		piece := p[n : n+int(span.end-span.off)]
		if err := f.readSpan(piece, span.off, written); err != nil {
			return n, vfs.SystemError("read", err)
		}
		n += len(piece)
	}
	if n < want {
		return n, io.EOF
	}
	return n, nil
}

// readSpan reads a piece that lies wholly in what was written or wholly in a
// hole, where the base shows through as far as it goes and zeros follow.
func (f *File) readSpan(p []byte, off int64, written bool) error {
	var src io.ReaderAt = f.base
	n := max(0, min(int64(len(p)), f.baseEnd-off))
	if written {
		src, n = f.disk, int64(len(p))
	}
	clear(p[n:])
	if n == 0 {
		return nil
	}
	_, err := src.ReadAt(p[:n], off)
	return noEOF(err) // a base that became shorter
}

// diskEnd is the length of the file on disk.
func (f *File) diskEnd() int64 {
	if n := len(f.written); n > 0 {
		return f.written[n-1].end
	}
	return 0
}

// Close closes the file on disk and the base.
func (f *File) Close() error {
	err := f.disk.Close()
	if f.base != nil {
		f.base.Close()
	}
	return vfs.SystemError("close", err)
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
