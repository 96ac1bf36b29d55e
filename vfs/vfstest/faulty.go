package vfstest

import (
	"context"
	"errors"
	"iter"
	"sync"

	"shelf/vfs"
)

// Call is a kind of call that [Faulty] can make fail.
type Call string

// The calls.
const (
	List    Call = "List"
	Stat    Call = "Stat"
	Open    Call = "Open"
	Create  Call = "Create"
	Rename  Call = "Rename"
	Remove  Call = "Remove"
	SetAttr Call = "SetAttr" // of a file or an upload
	ReadAt  Call = "ReadAt"  // of a file or an upload
	WriteAt Call = "WriteAt"
	Sync    Call = "Sync"
	Commit  Call = "Commit"
)

// Faulty is a Library that fails on cue.
type Faulty struct {
	vfs.Library

	mu   sync.Mutex
	cues map[Call]cue
}

type cue struct {
	calls int // until it fails
	err   error
}

// NewFaulty wraps a Library that fails in nothing of its own.
func NewFaulty(l vfs.Library) *Faulty { return &Faulty{Library: l, cues: make(map[Call]cue)} }

// Fail makes the n-th call of a kind from now on fail, once: with err, or with
// a panic where err is nil. A Commit that fails with [vfs.ErrUncertain] has
// published.
func (f *Faulty) Fail(c Call, n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cues[c] = cue{n, err}
}

// call counts a call and fails it if that is its turn.
func (f *Faulty) call(c Call) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.cues[c]
	q.calls--
	f.cues[c] = q
	if q.calls != 0 {
		return nil
	}
	if q.err == nil {
		panic("on cue: " + string(c))
	}
	return q.err
}

// Unwrap lets [vfs.As] find what the library can do beyond the contract.
func (f *Faulty) Unwrap() vfs.Library { return f.Library }

// List implements [vfs.Library].
func (f *Faulty) List(ctx context.Context) iter.Seq2[vfs.Info, error] {
	return func(yield func(vfs.Info, error) bool) {
		for i, err := range f.Library.List(ctx) {
			if e := f.call(List); e != nil {
				yield(vfs.Info{}, e)
				return
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

// Stat implements [vfs.Library].
func (f *Faulty) Stat(ctx context.Context, name string) (vfs.Info, error) {
	if err := f.call(Stat); err != nil {
		return vfs.Info{}, err
	}
	return f.Library.Stat(ctx, name)
}

// Open implements [vfs.Library].
func (f *Faulty) Open(ctx context.Context, name string) (vfs.File, error) {
	if err := f.call(Open); err != nil {
		return nil, err
	}
	file, err := f.Library.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return faultyFile{file, f}, nil
}

// Create implements [vfs.Library].
func (f *Faulty) Create(ctx context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	if err := f.call(Create); err != nil {
		return nil, err
	}
	u, err := f.Library.Create(ctx, name, o)
	if err != nil {
		return nil, err
	}
	return &faultyUpload{Upload: u, f: f}, nil
}

// Rename implements [vfs.Library].
func (f *Faulty) Rename(ctx context.Context, old, new string, replace bool) (vfs.Change, error) {
	if err := f.call(Rename); err != nil {
		return vfs.Change{}, err
	}
	return f.Library.Rename(ctx, old, new, replace)
}

// Remove implements [vfs.Library].
func (f *Faulty) Remove(ctx context.Context, name string) error {
	if err := f.call(Remove); err != nil {
		return err
	}
	return f.Library.Remove(ctx, name)
}

// SetAttr implements [vfs.Library].
func (f *Faulty) SetAttr(ctx context.Context, name string, a vfs.Attr) (vfs.Change, error) {
	if err := f.call(SetAttr); err != nil {
		return vfs.Change{}, err
	}
	return f.Library.SetAttr(ctx, name, a)
}

type faultyFile struct {
	vfs.File
	f *Faulty
}

// Unwrap lets [vfs.As] find what the file can do beyond the contract.
func (x faultyFile) Unwrap() vfs.File { return x.File }

// ReadAt implements [vfs.File].
func (x faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := x.f.call(ReadAt); err != nil {
		return 0, err
	}
	return x.File.ReadAt(p, off)
}

// faultyUpload keeps the first error that leaves its content in doubt, as the
// contract says.
type faultyUpload struct {
	vfs.Upload
	f   *Faulty
	err error
}

// Unwrap lets [vfs.As] find what the upload can do beyond the contract.
func (x *faultyUpload) Unwrap() vfs.Upload { return x.Upload }

func (x *faultyUpload) call(c Call) error {
	if x.err == nil {
		x.err = x.f.call(c)
	}
	return x.err
}

// WriteAt implements [vfs.Upload].
func (x *faultyUpload) WriteAt(p []byte, off int64) (int, error) {
	if err := x.call(WriteAt); err != nil {
		return 0, err
	}
	return x.Upload.WriteAt(p, off)
}

// ReadAt implements [vfs.Upload].
func (x *faultyUpload) ReadAt(p []byte, off int64) (int, error) {
	if err := x.f.call(ReadAt); err != nil {
		return 0, err
	}
	return x.Upload.ReadAt(p, off)
}

// Open implements [vfs.Upload].
func (x *faultyUpload) Open() (vfs.File, error) {
	file, err := x.Upload.Open()
	if err != nil {
		return nil, err
	}
	return faultyFile{file, x.f}, nil
}

// SetAttr implements [vfs.Upload].
func (x *faultyUpload) SetAttr(a vfs.Attr) error {
	if err := x.call(SetAttr); err != nil {
		return err
	}
	return x.Upload.SetAttr(a)
}

// Sync implements [vfs.Upload].
func (x *faultyUpload) Sync() error {
	if err := x.call(Sync); err != nil {
		return err
	}
	return x.Upload.Sync()
}

// Commit implements [vfs.Upload].
func (x *faultyUpload) Commit(ctx context.Context) (vfs.Change, error) {
	err := x.call(Commit)
	switch {
	case err == nil:
		return x.Upload.Commit(ctx)
	case errors.Is(err, vfs.ErrUncertain):
		x.Upload.Commit(ctx) // as if the answer had been lost
	default:
		x.Upload.Abort()
	}
	return vfs.Change{}, err
}
