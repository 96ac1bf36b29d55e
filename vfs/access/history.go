package access

import (
	"crypto"
	"errors"
	"io/fs"

	"shelf/vfs"
)

// history is that of the library of a place.
func (p place) history() (vfs.History, error) {
	if h, ok := vfs.As[vfs.History](p.in.Library); ok {
		return h, nil
	}
	return nil, &vfs.Error{Kind: vfs.ErrUnsupported, Why: "this library keeps no old versions"}
}

// Versions lists the old versions of a name, the newest first. There may be some
// although no file has the name any more.
func (s *Session) Versions(path string) (all []vfs.OldVersion, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	op := s.begin(toSeeVersions, path)
	defer op.finish(&err)
	at, err := s.file(path)
	if err != nil {
		return nil, err
	}
	if err := s.may(toSeeVersions, at); err != nil {
		return nil, err
	}
	h, err := at.history()
	if err != nil {
		return nil, err
	}
	if all, err = h.Versions(s.ctx, at.name); err != nil || len(all) > 0 {
		return all, err
	}
	if _, err := at.in.Stat(s.ctx, at.name); errors.Is(err, fs.ErrNotExist) {
		return nil, &vfs.Error{Kind: fs.ErrNotExist, Why: "no such file, and no old version of one"}
	}
	return nil, nil
}

// Restore publishes an old version of a name. What it replaces becomes one.
func (s *Session) Restore(path, id string) (c vfs.Change, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	op := s.begin(toRestore, path)
	op.event.Restored = id
	defer op.finish(&err)
	at, err := s.fileToChange(path)
	if err != nil {
		return c, err
	}
	if err := s.may(toRestore, at); err != nil {
		return c, err
	}
	h, err := at.history()
	if err != nil {
		return c, err
	}
	c, err = h.Restore(s.ctx, at.name, id, at.in.allow(toRestoreOver))
	if errors.Is(err, fs.ErrExist) {
		err = at.in.refuse(toRestoreOver)
	}
	if err != nil {
		return c, err
	}
	s.noteRestored(at, c)
	op.made(at.in, c)
	op.event.New = c.Replaced == vfs.Info{}
	s.drop(at)
	return c, nil
}

// noteRestored finds out the SHA-256 of what is back, where each event is to have it.
func (s *Session) noteRestored(at place, c vfs.Change) {
	if s.sums == nil || !s.sums.always.Load() || s.sums.known(c.After.Version) != nil {
		return
	}
	f, err := at.in.Open(s.ctx, at.name)
	if err != nil {
		return
	}
	defer f.Close()
	if sum, i, err := s.digestOf(f, crypto.SHA256); err == nil {
		s.sums.note(i.Version, sum)
	}
}
