package vfs

import (
	"context"
	"errors"
	"io"
	"os"
)

// Sync implements [Upload].
func (u *upload) Sync() error {
	if err := u.usable(); err != nil {
		return err
	}
	return u.fail(storeError("fsync", u.stage.Sync()))
}

// sync is Commit's: what the library promises, not what the client asked.
func (u *upload) sync() error {
	if u.d.o.Durability == NoFsync {
		return nil
	}
	return u.Sync()
}

// Commit implements [Upload]. The order of the system calls is the promise:
//
//	copy_file_range  holes from the base, so the stage is the whole file
//	ftruncate        to its size, where it ends in a hole
//	fchmod utimensat
//	fsync(stage)     the content is on disk before any name stands for it
//	renameat         over the name: readers have the old file or the new one
//	                 (renameat2 or linkat where it must not replace)
//	fsync(folder)    the name is on disk before the client is told
//
// After an error of the last the new file is there, whole, but a power cut may
// undo that: it is uncertain.
func (u *upload) Commit(ctx context.Context) (Info, error) {
	if err := u.usable(); err != nil {
		u.Abort()
		return Info{}, err
	}
	if !u.changed {
		i, err := u.commitAttr(ctx)
		return i, errors.Join(err, u.Abort())
	}
	for _, step := range []func() error{u.fill, u.setLength, u.setAttr, u.sync, u.publish} {
		if err := step(); err != nil {
			u.Abort()
			return Info{}, err
		}
	}
	i, err := (&dirFile{File: u.stage.File, name: u.name}).Stat()
	return i, errors.Join(err, uncertain(u.d.sync()), u.close())
}

// uncertain is the error of a Commit that has renamed and could not sync that.
func uncertain(err error) error {
	if err == nil {
		return nil
	}
	const why = "the server's disk failed after the file was published; it is not known whether that lasts"
	return &Error{Kind: ErrUncertain, Why: why, Err: err}
}

// commitAttr is the Commit of an upload into which nothing was written.
func (u *upload) commitAttr(ctx context.Context) (Info, error) {
	if !u.attr.HasMode && !u.attr.HasTimes {
		return (&dirFile{File: u.base, name: u.name}).Stat()
	}
	return u.d.SetAttr(ctx, u.name, u.attr)
}

// fill copies from the base what was not written, sharing blocks where the
// file system can. A hole past the base stays a hole and reads as zeros.
func (u *upload) fill() error {
	if u.base == nil {
		return nil
	}
	for span, written := range u.written.spans(0, min(u.size, u.baseEnd)) {
		if written {
			continue
		}
		if err := copyRange(u.stage.File, u.base, span); err != nil {
			return storeError("copy", err)
		}
	}
	u.written.add(0, min(u.size, u.baseEnd))
	return nil
}

// copyRange copies the bytes of a span between two files at the same offset;
// os.File uses copy_file_range where there is one.
func copyRange(dst, src *os.File, span extent) error {
	if _, err := src.Seek(span.off, io.SeekStart); err != nil {
		return err
	}
	if _, err := dst.Seek(span.off, io.SeekStart); err != nil {
		return err
	}
	_, err := io.CopyN(dst, src, span.end-span.off)
	return noEOF(err) // a base that became shorter
}

func (u *upload) setLength() error {
	if u.stageEnd() == u.size {
		return nil
	}
	return storeError("truncate", u.stage.Truncate(u.size))
}

func (u *upload) setAttr() error {
	a := u.attr
	if !a.HasMode {
		a.HasMode, a.Mode = true, u.mode
	}
	const stageMode = 0o600
	return setAttr(u.d.stages.fd(), u.stage.name, u.stage.File, stageMode, a)
}

func (u *upload) publish() error {
	replace := !u.o.NoReplace && !(u.o.Create && u.o.Exclusive)
	err := u.d.usage.replacing(u.d, u.name, func() error {
		return u.d.place(u.d.stages.fd(), u.stage.name, u.name, replace)
	})
	if err == nil {
		u.settleUsage(u.size)
	}
	return err
}

// Abort implements [Upload].
func (u *upload) Abort() error {
	if u.done {
		return nil
	}
	return errors.Join(u.stage.unlink(), u.close())
}

// Keep implements [Keeper]. A partial is kept where it can be resumed: nothing
// is published under the name, and no write failed.
func (u *upload) Keep() error {
	size := u.written.prefix()
	if u.done || u.err != nil || u.settled || u.base != nil || !u.d.stages.rules.worth(u.o.Owner, size) {
		return u.Abort()
	}
	if _, err := u.d.stat(u.name); err == nil {
		return u.Abort()
	}
	if err := u.stage.keep(u.o.Owner, u.name, size); err != nil {
		return errors.Join(err, u.Abort())
	}
	u.settleUsage(size)
	return u.close()
}

// settleUsage hands the quota that the upload holds on to what it became.
func (u *upload) settleUsage(size int64) {
	u.d.usage.settle(u.charged, size)
	u.charged = 0
}

// close ends the upload and gives back its descriptors and its quota.
func (u *upload) close() error {
	u.done = true
	u.d.usage.give(u.charged)
	err := u.stage.File.Close()
	if u.base != nil {
		u.base.Close()
	}
	return storeError("close", err)
}
