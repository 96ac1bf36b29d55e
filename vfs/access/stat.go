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
	if at.name == "" {
		if at.in == nil || at.in.folder == "" {
			return Root(), nil
		}
		return folder(at.in.folder), nil
	}
	if err := s.reach(at.in); err != nil {
		return vfs.Info{}, err
	}
	return s.stat(at)
}

func (s *Session) stat(at place) (vfs.Info, error) {
	if err := at.in.goneError(); err != nil {
		return vfs.Info{}, err
	}
	if w := s.uploading(at); w != nil {
		i, err := w.up.Stat()
		i.Name = at.name // the library may know it by another
		return i, err
	}
	if i, ok := s.waiting(at); ok {
		return i, nil
	}
	i, err := at.in.Stat(s.ctx, at.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.partial(at)
	case err != nil:
		return vfs.Info{}, err
	case !at.in.allow(toStat) && !s.isOwn(at, i):
		return vfs.Info{}, at.in.refuse(toStat)
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

// Root describes "/".
func Root() vfs.Info { return folder("/") }

// folder describes a library.
func folder(name string) vfs.Info {
	return vfs.Info{Name: name, Mode: fs.ModeDir | 0o755, ModTime: time.Unix(0, 0)}
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

// KnowsSpace tells whether there may be an answer from Space.
func (s *Session) KnowsSpace() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	only := (*s.shares.Load())[""]
	if only == nil {
		return true // each knows it or not
	}
	if s.reach(only) != nil {
		return false
	}
	_, ok := vfs.As[vfs.Space](only.Library)
	return ok
}

// Space tells how much room there is in the library of a path.
func (s *Session) Space(path string) (_ vfs.SpaceInfo, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.begin(toSeeSpace, path)
	defer op.finish(&err)
	if err := s.Stopped(); err != nil {
		return vfs.SpaceInfo{}, err
	}
	at := s.locate(path)
	if at.in == nil {
		return vfs.SpaceInfo{}, s.chooseOne()
	}
	if err := s.reach(at.in); err != nil {
		return vfs.SpaceInfo{}, err
	}
	lib, ok := vfs.As[vfs.Space](at.in.Library)
	if !ok {
		return vfs.SpaceInfo{}, &vfs.Error{Kind: vfs.ErrUnsupported, Why: "this library does not know its space"}
	}
	return lib.Space(s.ctx)
}
