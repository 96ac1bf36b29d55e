package vfs

import (
	"context"
	"errors"
	"fmt"
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

// Create implements [Library].
func (d *Dir) Create(_ context.Context, name string, o CreateOptions) (Upload, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	base, i, err := d.open(name)
	switch {
	case err == nil && (o.Create && o.Exclusive || o.NoReplace):
		base.Close()
		return nil, &Error{Kind: fs.ErrExist, Why: "a file of that name exists"}
	case err == nil:
		return d.replace(name, base, i, o)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := d.checkTarget(name, true); err != nil {
		return nil, err
	}
	return d.createNew(name, o)
}

// createNew begins an upload under a name that stands for nothing: from the
// owner's partial, if there is one and it is wanted.
func (d *Dir) createNew(name string, o CreateOptions) (Upload, error) {
	u := &upload{d: d, name: name, o: o, changed: true, mode: newMode(o.Mode)}
	var err error
	if o.Truncate || o.Exclusive {
		err = d.stages.dropPartial(o.Owner, name)
	} else {
		u.stage, u.size, err = d.stages.takePartial(o.Owner, name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if u.stage != nil {
		// The quota counts it already.
		u.written.add(0, u.size)
		u.charged = u.size
		d.usage.pledge(u.size)
		return u, nil
	}
	if !o.Create {
		return nil, notExist()
	}
	u.stage, err = d.stages.create()
	if err != nil {
		return nil, err
	}
	return u, nil
}

// replace begins an upload that will replace the file base.
func (d *Dir) replace(name string, base *os.File, i info, o CreateOptions) (Upload, error) {
	st, err := d.stages.create()
	if err != nil {
		base.Close()
		return nil, err
	}
	u := &upload{d: d, name: name, o: o, stage: st, changed: true, mode: FileMode(i.mode)}
	if o.Truncate {
		base.Close()
		return u, nil
	}
	u.base, u.baseEnd, u.size, u.changed = base, i.size, i.size, false
	return u, nil
}

// newMode is the mode of a file that did not exist.
func newMode(asked fs.FileMode) fs.FileMode {
	if asked == 0 {
		return 0o644
	}
	return FileMode(asked)
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

// roomStep is how far ahead of the writes room is looked for, in bytes, so that
// the file system is asked once in a while and not at every packet.
const roomStep = 1 << 20

// grow refuses an end past a limit or past the room there is: early, so that a
// client learns it before it has sent everything, and no sparse file passes.
func (u *upload) grow(end int64) error {
	if u.o.MaxSize > 0 && end > u.o.MaxSize {
		return &Error{Kind: ErrTooLarge, Why: fmt.Sprintf("files are limited to %d bytes here", u.o.MaxSize)}
	}
	if end > max(u.size, u.roomUntil) {
		room, err := u.d.room()
		if err != nil {
			return err
		}
		if end-u.size > room {
			return &Error{Kind: ErrNoSpace, Why: "the server's disk has no room for a file of that size"}
		}
		u.roomUntil = min(u.size+room, end+roomStep)
	}
	return u.charge(end)
}

// charge takes what the upload will hold of the library's quota. The base is
// charged too once something is written: until Commit there are two files.
func (u *upload) charge(end int64) error {
	need := max(end, u.size) - u.charged
	if need <= 0 {
		return nil
	}
	if err := u.d.usage.take(need); err != nil {
		return err
	}
	u.charged += need
	return nil
}

// room is how many bytes uploads can still take of the disk.
func (d *Dir) room() (int64, error) {
	s, err := d.Space(context.Background())
	if err != nil {
		return 0, err
	}
	free := int64(min(s.Available*s.BlockSize, math.MaxInt64))
	return max(0, free-d.o.MinFreeSpace), nil
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
	return err
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
// Only an error of the last can leave the new file published; it is whole.
func (u *upload) Commit(ctx context.Context) error {
	if err := u.usable(); err != nil {
		u.Abort()
		return err
	}
	if !u.changed {
		return errors.Join(u.commitAttr(ctx), u.Abort())
	}
	for _, step := range []func() error{u.fill, u.setLength, u.setAttr, u.sync, u.publish} {
		if err := step(); err != nil {
			u.Abort()
			return err
		}
	}
	return errors.Join(u.d.sync(), u.close())
}

// commitAttr is the Commit of an upload into which nothing was written.
func (u *upload) commitAttr(ctx context.Context) error {
	if !u.attr.HasMode && !u.attr.HasTimes {
		return nil
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
	return err
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
