package access

import (
	"errors"
	"io/fs"
	"time"

	"shelf/vfs"
)

// Stat describes a file, or the library.
func (s *Session) Stat(path string) (_ vfs.Info, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	op := s.begin(toStat, path)
	defer op.finish(&err)
	at, err := s.resolve(path)
	if err != nil {
		return vfs.Info{}, err
	}
	return s.stat(at)
}

func (s *Session) stat(at place) (vfs.Info, error) {
	if at.name == "" {
		return Root(), nil
	}
	if w := s.uploading(at); w != nil {
		i, err := w.up.Stat()
		i.Name = at.name // the library may know it by another
		return i, err
	}
	i, err := at.in.Stat(s.ctx, at.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.partial(at)
	case err != nil:
		return vfs.Info{}, err
	case !at.in.allow(toStat) && !s.isOwn(at, i):
		return vfs.Info{}, refuse(toStat)
	}
	return i, nil
}

// partial describes what this account can resume; that is how clients learn
// where to go on.
func (s *Session) partial(at place) (vfs.Info, error) {
	lib, ok := vfs.As[vfs.Resume](at.in.Library)
	if !ok || !at.in.allow(toSeePartial) {
		return vfs.Info{}, vfs.NotExist()
	}
	return lib.Partial(s.ctx, s.account, at.name)
}

// Root describes the library itself.
func Root() vfs.Info {
	return vfs.Info{Name: "/", Mode: fs.ModeDir | 0o755, ModTime: time.Unix(0, 0)}
}

// Exists tells whether a path is a file that the account may see.
func (s *Session) Exists(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	at, err := s.file(path)
	if err == nil {
		_, err = s.stat(at)
	}
	return err == nil
}

// KnowsSpace tells whether there is an answer from Space.
func (s *Session) KnowsSpace() bool {
	_, ok := vfs.As[vfs.Space](s.library.Library)
	return ok
}

// Space tells how much room there is.
func (s *Session) Space(path string) (_ vfs.SpaceInfo, err error) {
	op := s.begin(toSeeSpace, path)
	defer op.finish(&err)
	lib, ok := vfs.As[vfs.Space](s.library.Library)
	if !ok {
		return vfs.SpaceInfo{}, &vfs.Error{Kind: vfs.ErrUnsupported, Why: "this library does not know its space"}
	}
	return lib.Space(s.ctx)
}
