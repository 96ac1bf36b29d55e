package vfstest

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"shelf/vfs"
)

// Memory is a Library in memory. A version of a file is never changed once it
// is published; an upload is a copy.
type Memory struct {
	mu       sync.Mutex
	files    map[string]*version
	partials map[partial]*version
	history  map[string][]old // nil is that it keeps none
}

// partial is whose beginning of what it is.
type partial struct{ owner, name string }

// NewMemory is an empty Library.
func NewMemory() *Memory {
	return &Memory{files: make(map[string]*version), partials: make(map[partial]*version)}
}

// NewHistory is an empty Library that keeps all versions, for ever.
func NewHistory() *Memory {
	m := NewMemory()
	m.history = make(map[string][]old)
	return m
}

// Properties implements [vfs.Library].
func (m *Memory) Properties() vfs.Properties {
	return vfs.Properties{AtomicRename: true, OldVersionsReadable: true, KeepsVersions: m.history != nil}
}

// version is one published content, with attributes.
type version struct {
	data  []byte
	id    *byte // tells contents apart
	mode  fs.FileMode
	mtime time.Time
}

// info describes a version.
func (v *version) info(name string) vfs.Info {
	type look struct {
		id    *byte
		mode  fs.FileMode
		mtime int64
	}
	return vfs.Info{
		Name: name, Size: int64(len(v.data)), Mode: v.mode, ModTime: v.mtime,
		Version: vfs.VersionOf(look{v.id, v.mode, v.mtime.UnixNano()}),
	}
}

func notExist() error { return vfs.NotExist() }
func exists() error   { return &vfs.Error{Kind: fs.ErrExist} }

func (m *Memory) get(ctx context.Context, name string) (*version, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.files[name]; ok {
		return v, nil
	}
	return nil, notExist()
}

// List implements [vfs.Library].
func (m *Memory) List(ctx context.Context) iter.Seq2[vfs.Info, error] {
	return func(yield func(vfs.Info, error) bool) {
		m.mu.Lock()
		files := maps.Clone(m.files)
		m.mu.Unlock()
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if err := ctx.Err(); err != nil {
				yield(vfs.Info{}, err)
				return
			}
			if !yield(files[name].info(name), nil) {
				return
			}
		}
	}
}

// Stat implements [vfs.Library].
func (m *Memory) Stat(ctx context.Context, name string) (vfs.Info, error) {
	v, err := m.get(ctx, name)
	if err != nil {
		return vfs.Info{}, err
	}
	return v.info(name), nil
}

// Open implements [vfs.Library].
func (m *Memory) Open(ctx context.Context, name string) (vfs.File, error) {
	v, err := m.get(ctx, name)
	if err != nil {
		return nil, err
	}
	return file{ctx, name, v}, nil
}

// Rename implements [vfs.Library].
func (m *Memory) Rename(ctx context.Context, old, new string, replace bool) (c vfs.Change, err error) {
	if err := vfs.CheckName(new); err != nil {
		return c, err
	}
	if err := ctx.Err(); err != nil {
		return c, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.files[old]
	switch {
	case v == nil:
		return c, notExist()
	case old != new && m.files[new] != nil && !replace:
		return c, exists()
	}
	c = vfs.Change{Before: v.info(old), After: v.info(new)}
	if was := m.files[new]; was != nil && was != v {
		c.Replaced = was.info(new)
		m.keep(new, was)
	}
	delete(m.files, old)
	m.files[new] = v
	return c, nil
}

// publish tells which file it has replaced.
func (m *Memory) publish(name string, v *version, replace bool) (was vfs.Info, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.files[name]
	if old != nil && !replace {
		return was, exists()
	}
	m.files[name] = v
	if old != nil {
		was = old.info(name)
		if old.id != v.id { // else it has other attributes
			m.keep(name, old)
		}
	}
	return was, nil
}

// Remove implements [vfs.Library].
func (m *Memory) Remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] == nil {
		return notExist()
	}
	m.keep(name, m.files[name])
	delete(m.files, name)
	return nil
}

// SetAttr implements [vfs.Library].
func (m *Memory) SetAttr(ctx context.Context, name string, a vfs.Attr) (c vfs.Change, err error) {
	v, err := m.get(ctx, name)
	if err != nil {
		return c, err
	}
	c.Before = v.info(name)
	if !a.HasSize {
		changed := *v
		changed.set(a)
		c.After = changed.info(name)
		_, err := m.publish(name, &changed, true)
		return c, err
	}
	u, err := m.Create(ctx, name, vfs.CreateOptions{Check: a.Check})
	if err == nil {
		err = u.SetAttr(a)
	}
	if err == nil {
		var made vfs.Change
		made, err = u.Commit(ctx)
		c.After = made.After
	}
	return c, err
}

// Partial implements [vfs.Resume].
func (m *Memory) Partial(ctx context.Context, owner, name string) (vfs.Info, error) {
	if err := ctx.Err(); err != nil {
		return vfs.Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.partials[partial{owner, name}]; ok {
		return v.info(name), nil
	}
	return vfs.Info{}, notExist()
}

// takePartial is the partial, which is gone then.
func (m *Memory) takePartial(owner, name string) (*version, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.partials[partial{owner, name}]
	delete(m.partials, partial{owner, name})
	return v, ok
}

// Create implements [vfs.Library].
func (m *Memory) Create(ctx context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	if err := vfs.CheckName(name); err != nil {
		return nil, err
	}
	v, err := m.get(ctx, name)
	if ctx.Err() != nil {
		return nil, err
	}
	u := &upload{m: m, ctx: ctx, name: name, o: o, v: version{mode: 0o644, mtime: time.Now(), id: new(byte)}}
	if o.Mode != 0 {
		u.v.mode = vfs.FileMode(o.Mode)
	}
	if err == nil {
		u.v.mode = v.mode
	}
	switch {
	case o.Base != nil:
		return u, u.startFrom(o.Base)
	case err == nil:
		return u, u.startOver(v)
	}
	if o.NoPartial {
		o.Owner = ""
	}
	kept, resumes := m.takePartial(o.Owner, name)
	if resumes && !o.Truncate && !o.Exclusive {
		u.v.data, u.prefix = slices.Clone(kept.data), len(kept.data)
		return u, nil
	}
	if !o.Create {
		return nil, notExist()
	}
	return u, nil
}

// minPartial is the size from which a partial is kept, in bytes.
const minPartial = 64 << 10

// maxSize is more than tests write, in bytes.
const maxSize = 64 << 20

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
		return exists()
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

func readAt(data, p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(p, data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
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
	if a.HasMode {
		u.attr.HasMode, u.attr.Mode = true, a.Mode
	}
	if a.HasTimes {
		u.attr.HasTimes, u.attr.Atime, u.attr.Mtime = true, a.Atime, a.Mtime
	}
	u.v.set(a)
	return nil
}

// set changes mode and times.
func (v *version) set(a vfs.Attr) {
	if a.HasMode {
		v.mode = vfs.FileMode(a.Mode)
	}
	if a.HasTimes {
		v.mtime = a.Mtime
	}
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
		return exists()
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

// file is a version that is read.
type file struct {
	ctx  context.Context
	name string
	v    *version
}

func (f file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return readAt(f.v.data, p, off)
}
func (f file) Stat() (vfs.Info, error) { return f.v.info(f.name), nil }
func (f file) Close() error            { return nil }
