package access

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"shelf/vfs"
)

// Flags is how a file is opened for writing.
type Flags struct {
	Read      bool        // for reading as well
	Append    bool        // every write goes to the end, whatever its offset says
	Create    bool        // also where there is none
	Truncate  bool        // from nothing
	Exclusive bool        // only where there is none; it has no meaning without Create
	Mode      fs.FileMode // of a new file; 0 is the library's choice
}

// Replace is the flags of an upload that takes the place of what has the name.
func Replace(mode fs.FileMode) Flags { return Flags{Create: true, Truncate: true, Mode: mode} }

// Create begins an upload.
func (s *Session) Create(path string, f Flags) (_ *Writer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	op := s.begin(toCreate, path)
	defer op.started(&err)
	if err := s.mayBeRecorded(); err != nil {
		return nil, err
	}
	at, err := s.newFile(path)
	if err != nil {
		return nil, inNoFolder(at, err)
	}
	s.publishHeld(at)
	if err := s.mayCreate(at, f); err != nil {
		return nil, err
	}
	if err := errors.Join(s.mayHide(at), s.overWaiting(at, f)); err != nil {
		return nil, err
	}
	o := s.createOptions(at, f)
	if err := s.base(at, &o); err != nil {
		return nil, err
	}
	judged := s.judge(at.in)
	o.Check = judged.check()
	ctx, stay := s.contextFor(at)
	up, err := s.createUpload(ctx, at, o)
	if err != nil {
		return nil, err
	}
	i, err := up.Stat()
	if err != nil {
		up.Abort()
		return nil, err
	}
	mayRead := at.in.allow(toReadBack)
	if f.Read && !mayRead && i.Size > 0 {
		return nil, errors.Join(at.in.refuse(toReadBack), s.leave(at, up))
	}
	w := &Writer{op: op, at: at, up: up, replaces: !o.NoReplace, based: i.Size > 0, ctx: ctx, stay: stay, readable: f.Read, append: f.Append, end: i.Size, wrote: f.Truncate}
	w.fresh = !f.Truncate && !o.Exclusive && (mayRead || !f.Read) && !s.hidden(at.name)
	w.judged, w.exclusive, w.mode = judged, o.Exclusive, f.Mode
	w.sum = s.sums.begin()
	w.transfer = s.transfers.begin(true, op.path, unknown)
	s.push(w)
	s.open.Add(1)
	return w, nil
}

// inNoFolder has a file in a folder that is not there be fs.ErrNotExist, as open(2)
// has it: clients then know that a folder is missing. The reason stays.
func inNoFolder(at place, err error) error {
	e := (*vfs.Error)(nil)
	if errors.As(err, &e) && e.Kind == vfs.ErrName && strings.Contains(at.name, "/") {
		return &vfs.Error{Kind: fs.ErrNotExist, Why: e.Reason()}
	}
	return err
}

// leave ends an upload as it began: a partial that it went on with is one again.
func (s *Session) leave(at place, up vfs.Upload) error {
	if k, ok := vfs.As[vfs.Keeper](up); ok && !s.hidden(at.name) {
		return k.Keep()
	}
	return up.Abort()
}

func (s *Session) createOptions(at place, f Flags) vfs.CreateOptions {
	return vfs.CreateOptions{
		Create:    f.Create,
		Truncate:  f.Truncate,
		Exclusive: f.Create && f.Exclusive,
		NoReplace: !at.in.allow(toReplace),
		Mode:      f.Mode,
		Owner:     s.account,
		MaxSize:   at.in.maxFileSize(),
	}
}

func (s *Session) createUpload(ctx context.Context, at place, o vfs.CreateOptions) (vfs.Upload, error) {
	if s.hidden(at.name) {
		return createHidden(ctx, at, o)
	}
	return at.in.Create(ctx, at.name, o)
}

// base is what an upload starts from that begins while another of the same name
// is under way.
func (s *Session) base(at place, o *vfs.CreateOptions) (err error) {
	w := s.uploading(at)
	switch {
	case w == nil:
		o.Create = o.Create || o.Truncate && s.isWaiting(at) // to its account it exists
		return nil
	case o.Exclusive:
		return vfs.Exists()
	case o.Truncate:
		o.Create = true // without CREAT, too: to this session it exists
		return nil
	}
	o.Base, err = w.up.Open()
	return err
}
