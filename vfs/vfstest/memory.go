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
	mu    sync.Mutex
	files map[string]*version
}

// NewMemory is an empty Library.
func NewMemory() *Memory { return &Memory{files: make(map[string]*version)} }

// version is one published content.
type version struct {
	data  []byte
	mode  fs.FileMode
	mtime time.Time
	id    *byte // tells versions apart; attributes make no new one
}

func notExist() error { return &vfs.Error{Kind: fs.ErrNotExist} }
func exists() error   { return &vfs.Error{Kind: fs.ErrExist} }

func (m *Memory) get(name string) (*version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.files[name]; ok {
		return v, nil
	}
	return nil, notExist()
}

// List implements [vfs.Library].
func (m *Memory) List(ctx context.Context) iter.Seq2[fs.FileInfo, error] {
	return func(yield func(fs.FileInfo, error) bool) {
		m.mu.Lock()
		files := maps.Clone(m.files)
		m.mu.Unlock()
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(info{name, files[name]}, nil) {
				return
			}
		}
	}
}

// Stat implements [vfs.Library].
func (m *Memory) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	v, err := m.get(name)
	if err != nil {
		return nil, err
	}
	return info{name, v}, nil
}

// Open implements [vfs.Library].
func (m *Memory) Open(_ context.Context, name string) (vfs.File, error) {
	v, err := m.get(name)
	if err != nil {
		return nil, err
	}
	return file{name, v}, nil
}

// Rename implements [vfs.Library].
func (m *Memory) Rename(_ context.Context, old, new string, replace bool) error {
	if err := vfs.CheckName(new); err != nil {
		return err
	}
	v, err := m.get(old)
	if err != nil {
		return err
	}
	if err := m.publish(new, v, replace || old == new); err != nil || old == new {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, old)
	return nil
}

func (m *Memory) publish(name string, v *version, replace bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] != nil && !replace {
		return exists()
	}
	m.files[name] = v
	return nil
}

// Remove implements [vfs.Library].
func (m *Memory) Remove(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] == nil {
		return notExist()
	}
	delete(m.files, name)
	return nil
}

// SetAttr implements [vfs.Library].
func (m *Memory) SetAttr(ctx context.Context, name string, a vfs.Attr) error {
	v, err := m.get(name)
	if err != nil {
		return err
	}
	if !a.HasSize {
		changed := *v
		changed.set(a)
		return m.publish(name, &changed, true)
	}
	u, err := m.Create(ctx, name, vfs.CreateOptions{})
	if err == nil {
		err = u.SetAttr(a)
	}
	if err != nil {
		return err
	}
	return u.Commit(ctx)
}

// Create implements [vfs.Library].
func (m *Memory) Create(_ context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	if err := vfs.CheckName(name); err != nil {
		return nil, err
	}
	v, err := m.get(name)
	switch {
	case err != nil && !o.Create && o.Base == nil:
		return nil, err
	case err == nil && o.Base == nil && (o.Create && o.Exclusive || o.NoReplace):
		return nil, exists()
	}
	u := &upload{m: m, name: name, o: o, v: version{mode: 0o644, mtime: time.Now(), id: new(byte)}}
	if o.Mode != 0 {
		u.v.mode = vfs.FileMode(o.Mode)
	}
	if err == nil {
		u.v.mode = v.mode
	}
	if o.Base != nil {
		return u, u.startFrom(o.Base)
	}
	if err == nil && !o.Truncate {
		u.v.data, u.v.mtime = slices.Clone(v.data), v.mtime
	}
	return u, nil
}

// maxSize is more than tests write, in bytes.
const maxSize = 64 << 20

// upload is a version in the making.
type upload struct {
	m     *Memory
	name  string
	o     vfs.CreateOptions
	v     version
	same  bool // as the draft it started from
	timed bool // the times were set
	err   error
}

func (u *upload) grow(size int64) error {
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
	if !u.timed {
		u.v.mtime = time.Now()
	}
	return copy(u.v.data[off:], p), nil
}

// ReadAt implements [vfs.Upload].
func (u *upload) ReadAt(p []byte, off int64) (int, error) { return readAt(u.v.data, p, off) }

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
func (u *upload) Stat() (fs.FileInfo, error) {
	v := u.v
	return info{u.name, &v}, nil
}

// SetAttr implements [vfs.Upload].
func (u *upload) SetAttr(a vfs.Attr) error {
	if a.HasSize {
		if err := u.grow(a.Size); err != nil {
			return err
		}
		u.v.data = append(u.v.data, make([]byte, max(0, a.Size-int64(len(u.v.data))))...)[:a.Size]
		u.same = false
	}
	u.v.set(a)
	u.timed = u.timed || a.HasTimes
	return u.err
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

// startFrom takes a file as the upload's base.
func (u *upload) startFrom(base vfs.File) error {
	defer base.Close()
	i, err := base.Stat()
	if err != nil {
		return err
	}
	u.v.data, u.v.mode, u.same = make([]byte, i.Size()), i.Mode(), true
	_, err = base.ReadAt(u.v.data, 0)
	if err == io.EOF {
		return nil
	}
	return err
}

// Open implements [vfs.Upload].
func (u *upload) Open() (vfs.File, error) {
	if u.err != nil {
		return nil, u.err
	}
	v := u.v
	v.data = slices.Clone(v.data)
	return file{u.name, &v}, nil
}

// Rename implements [vfs.Upload].
func (u *upload) Rename(new string, replace bool) error {
	if err := vfs.CheckName(new); err != nil {
		return err
	}
	if _, err := u.m.get(new); err == nil && !replace {
		return exists()
	}
	u.name, u.o.NoReplace, u.o.Exclusive = new, !replace, false
	return u.err
}

// Sync implements [vfs.Upload].
func (u *upload) Sync() error { return u.err }

// Commit implements [vfs.Upload].
func (u *upload) Commit(context.Context) error {
	if u.err != nil {
		return u.err
	}
	u.err = &vfs.Error{Kind: vfs.ErrBadHandle}
	if u.same {
		return nil
	}
	v := u.v
	return u.m.publish(u.name, &v, !u.o.NoReplace && !(u.o.Create && u.o.Exclusive))
}

// Abort implements [vfs.Upload].
func (u *upload) Abort() error {
	u.err = &vfs.Error{Kind: vfs.ErrBadHandle}
	return nil
}

// file is a version that is read.
type file struct {
	name string
	v    *version
}

func (f file) ReadAt(p []byte, off int64) (int, error) { return readAt(f.v.data, p, off) }
func (f file) Stat() (fs.FileInfo, error)              { return info(f), nil }
func (f file) Close() error                            { return nil }

// info describes a version.
type info struct {
	name string
	v    *version
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return int64(len(i.v.data)) }
func (i info) Mode() fs.FileMode  { return i.v.mode }
func (i info) ModTime() time.Time { return i.v.mtime }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return i.v.id }
