package vfstest

import (
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

func (m *Memory) get(ctx context.Context, name string) (*version, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.files[name]; ok {
		return v, nil
	}
	return nil, vfs.NotExist()
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
		return c, vfs.NotExist()
	case old != new && m.files[new] != nil && !replace:
		return c, vfs.Exists()
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
		return was, vfs.Exists()
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
		return vfs.NotExist()
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
	return vfs.Info{}, vfs.NotExist()
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
		return nil, vfs.NotExist()
	}
	return u, nil
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

// set changes mode and times.
func (v *version) set(a vfs.Attr) {
	if a.HasMode {
		v.mode = vfs.FileMode(a.Mode)
	}
	if a.HasTimes {
		v.mtime = a.Mtime
	}
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
