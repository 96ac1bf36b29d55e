package vfstest

import (
	"bytes"
	"context"
	"io"
	"slices"
	"time"

	"shelf/vfs"
)

// upload is a version in the making.
type upload struct {
	m      *Memory
	ctx    context.Context
	name   string
	o      vfs.CreateOptions
	v      version
	same   bool     // nothing was written to what it started from
	based  bool     // it started from something
	prefix int      // how much was written from the start without a gap, in bytes
	attr   vfs.Attr // mode and times that were set
	err    error
}

// startOver makes a published version the base.
func (u *upload) startOver(v *version) error {
	if u.o.Create && u.o.Exclusive || u.o.NoReplace {
		return vfs.Exists()
	}
	if !u.o.Truncate {
		u.v.data, u.v.mtime, u.same, u.based = slices.Clone(v.data), v.mtime, true, true
	}
	return nil
}

// startFrom makes a file the base.
func (u *upload) startFrom(base vfs.File) error {
	defer base.Close()
	i, err := base.Stat()
	if err != nil {
		return err
	}
	u.v.data, u.v.mode, u.same, u.based = make([]byte, i.Size), i.Mode, true, true
	_, err = base.ReadAt(u.v.data, 0)
	if err == io.EOF {
		return nil
	}
	return err
}

func (u *upload) grow(size int64) error {
	if u.err == nil {
		u.err = u.ctx.Err()
	}
	if u.err == nil && (size < 0 || size > maxSize || u.o.MaxSize > 0 && size > u.o.MaxSize) {
		u.err = &vfs.Error{Kind: vfs.ErrTooLarge}
	}
	return u.err
}

// WriteAt implements [vfs.Upload].
func (u *upload) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, u.grow(-1)
	}
	end := off + int64(len(p))
	if err := u.grow(end); err != nil {
		return 0, err
	}
	if end > int64(len(u.v.data)) {
		u.v.data = append(u.v.data, make([]byte, end-int64(len(u.v.data)))...)
	}
	u.same = false
	if int(off) <= u.prefix {
		u.prefix = max(u.prefix, int(end))
	}
	if !u.attr.HasTimes {
		u.v.mtime = time.Now()
	}
	return copy(u.v.data[off:], p), nil
}

// ReadAt implements [vfs.Upload].
func (u *upload) ReadAt(p []byte, off int64) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return readAt(u.v.data, p, off)
}

// Stat implements [vfs.Upload].
func (u *upload) Stat() (vfs.Info, error) { return u.v.info(u.name), nil }

// SetAttr implements [vfs.Upload].
func (u *upload) SetAttr(a vfs.Attr) error {
	if u.err != nil {
		return u.err
	}
	if a.HasSize {
		if err := u.grow(a.Size); err != nil {
			return err
		}
		u.v.data = append(u.v.data, make([]byte, max(0, a.Size-int64(len(u.v.data))))...)[:a.Size]
		u.same, u.prefix = false, min(u.prefix, int(a.Size))
	}
	u.attr.Add(a)
	u.v.set(a)
	return nil
}

// Open implements [vfs.Upload].
func (u *upload) Open() (vfs.File, error) {
	if u.err != nil {
		return nil, u.err
	}
	v := u.v
	v.data = slices.Clone(v.data)
	return file{u.ctx, u.name, &v}, nil
}

// Rename implements [vfs.Upload].
func (u *upload) Rename(new string, replace bool) error {
	if err := vfs.CheckName(new); err != nil {
		return err
	}
	if _, err := u.m.get(u.ctx, new); err == nil && !replace {
		return vfs.Exists()
	}
	u.name, u.o.NoReplace, u.o.Exclusive = new, !replace, false
	return u.err
}

// Sync implements [vfs.Upload].
func (u *upload) Sync() error { return u.err }

// Commit implements [vfs.Upload].
func (u *upload) Commit(ctx context.Context) (c vfs.Change, err error) {
	if u.err == nil {
		u.err = ctx.Err()
	}
	if u.err != nil {
		return c, u.err
	}
	if err := u.Check(ctx); err != nil {
		u.Abort()
		return c, err
	}
	u.Abort()
	v := u.v
	switch {
	case !u.same:
		was, err := u.m.publish(u.name, &v, !u.o.NoReplace && !(u.o.Create && u.o.Exclusive))
		return vfs.Change{After: v.info(u.name), Replaced: was}, err
	case u.attr.HasMode || u.attr.HasTimes:
		c, err = u.m.SetAttr(ctx, u.name, u.attr)
		return vfs.Change{After: c.After}, err
	}
	return vfs.Change{After: v.info(u.name)}, nil
}

// Check implements [vfs.Checker].
func (u *upload) Check(ctx context.Context) error {
	if u.err != nil || u.same {
		return u.err
	}
	return u.o.Check.Run(ctx, vfs.Staged{Name: u.name, Size: int64(len(u.v.data)), Content: bytes.NewReader(u.v.data)})
}

// Abort implements [vfs.Upload].
func (u *upload) Abort() error {
	u.err = &vfs.Error{Kind: vfs.ErrBadHandle}
	return nil
}

// Keep implements [vfs.Keeper].
func (u *upload) Keep() error {
	failed := u.err
	u.Abort()
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	if failed != nil && u.ctx.Err() == nil || u.based || u.o.Owner == "" || u.prefix < minPartial || u.m.files[u.name] != nil {
		return nil
	}
	kept := u.v
	kept.data = kept.data[:u.prefix]
	u.m.partials[partial{u.o.Owner, u.name}] = &kept
	return nil
}

// minPartial is the size from which a partial is kept, in bytes.
const minPartial = 64 << 10

// maxSize is more than tests write, in bytes.
const maxSize = 64 << 20
