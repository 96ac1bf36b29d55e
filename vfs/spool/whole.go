package spool

import (
	"io"
	"os"

	"shelf/vfs"
)

// Fill copies from the base what was not written, sharing blocks where the file
// system can, and gives the file on disk its length. After it the disk holds
// all that is to be published. A hole past the base stays a hole and reads as
// zeros.
func (f *File) Fill() error { return f.FillTo(0, f.size) }

// FillTo is Fill for the bytes from off to end. The file on disk is at least that
// long then.
func (f *File) FillTo(off, end int64) error {
	if err := f.copyBase(off, min(end, f.baseEnd)); err != nil {
		return err
	}
	if f.diskEnd() >= end {
		return nil
	}
	return vfs.SystemError("truncate", f.disk.Truncate(end))
}

// copyBase copies what was not written of the bytes from off to end.
func (f *File) copyBase(off, end int64) error {
	if f.base == nil || off >= end {
		return nil
	}
	for span, written := range f.written.spans(off, end) {
		if written {
			continue
		}
		if err := f.owner.Copy(span.end - span.off); err != nil {
			return err
		}
		if err := copyRange(f.disk, f.base, span); err != nil {
			return vfs.SystemError("copy", err)
		}
	}
	f.written.add(off, end)
	return nil
}

// settle fills every hole now and forgets where they were.
func (f *File) settle() error {
	if err := f.Fill(); err != nil {
		return err
	}
	f.written, f.settled = extents{{0, f.size}}, true
	return nil
}

// Settle makes the file on disk whole while the upload goes on, so that it can
// be read by others. Without a base there is nothing to fill, and which bytes
// were written is still known.
func (f *File) Settle() error {
	if f.base == nil {
		return f.Fail(f.Fill())
	}
	return f.Fail(f.settle())
}

// copyRange copies the bytes of a span between two files at the same offset;
// between two of the disk os.File uses copy_file_range where there is one.
func copyRange(dst *os.File, src Base, span extent) error {
	if _, err := dst.Seek(span.off, io.SeekStart); err != nil {
		return err
	}
	length := span.end - span.off
	file, ok := src.(*os.File)
	if !ok {
		n, err := io.Copy(dst, io.NewSectionReader(src, span.off, length))
		if err == nil && n < length {
			err = io.ErrUnexpectedEOF // a base that became shorter
		}
		return err
	}
	if _, err := file.Seek(span.off, io.SeekStart); err != nil {
		return err
	}
	_, err := io.CopyN(dst, file, length)
	return noEOF(err) // a base that became shorter
}
