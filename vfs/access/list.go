package access

import (
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"

	"shelf/vfs"
)

// List opens the library to read what is in it.
func (s *Session) List(path string) (_ *Listing, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	op := s.begin(toList, path)
	defer op.started(&err)
	at, err := s.resolve(path)
	switch {
	case err != nil && at.in != nil, err == nil && at.name != "":
		return nil, &vfs.Error{Kind: fs.ErrNotExist, Why: "no such folder; the library has none"}
	case err != nil:
		return nil, err
	case at.in == nil:
		s.open.Add(1)
		next, stop := iter.Pull2(s.listFolders())
		return &Listing{op: op, next: next, stop: stop}, nil
	}
	if err := s.may(toList, at); err != nil {
		return nil, err
	}
	if err := s.reach(at.in); err != nil {
		return nil, err
	}
	s.publishHeld(place{})
	next, stop := iter.Pull2(at.in.List(s.ctx))
	s.open.Add(1)
	return &Listing{op: op, at: at, next: next, stop: stop}, nil
}

// listFolders yields the libraries, where "/" is a folder of them.
func (s *Session) listFolders() iter.Seq2[vfs.Info, error] {
	names := s.folders()
	return func(yield func(vfs.Info, error) bool) {
		for _, name := range names {
			if !yield(folder(name), nil) {
				return
			}
		}
	}
}

// Listing is an open folder, read a batch at a time. It is to be closed.
type Listing struct {
	op   *operation
	at   place
	next func() (vfs.Info, error, bool)
	stop func()
}

// Next puts the next files into to and tells how many; the error is io.EOF at
// the end.
func (l *Listing) Next(to []vfs.Info) (n int, err error) {
	defer func() {
		l.op.recovered(recover(), &err)
		err = l.op.s.told(l.op.name, "", err)
	}()
	if err := l.op.s.still(toList, l.at.in); err != nil {
		return 0, err
	}
	for n < len(to) {
		i, err, ok := l.next()
		if !ok {
			return n, io.EOF
		}
		if err != nil {
			return n, err
		}
		to[n] = i
		n++
	}
	return n, nil
}

// Close ends the listing.
func (l *Listing) Close() error {
	l.op.s.open.Add(-1)
	l.stop()
	l.op.report(nil)
	return nil
}

// maxMatches bounds what a pattern may stand for, in names.
const maxMatches = 1 << 16

// nameCost is the memory that a name takes beside its bytes.
const nameCost = 16

// Match lists the names in a folder that a pattern of [path.Match] stands for,
// sorted. keep is asked before each is kept, with the memory for it in bytes, and its
// error ends the search; nil is to keep all.
//
// What a session looks for in a folder is one event, however many patterns it has.
func (s *Session) Match(folder, pattern string, keep func(bytes int64) error) (names []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.begin(toList, folder)
	defer op.finish(&err)
	defer func() {
		if op.quiet = err == nil && s.matched[folder]; err == nil {
			s.matched[folder] = true
		}
	}()
	if keep == nil {
		keep = func(int64) error { return nil }
	}
	at, err := s.resolve(folder)
	switch {
	case err != nil, at.name != "":
		return nil, &vfs.Error{Kind: fs.ErrNotExist, Why: "no such folder; the library has no folders"}
	case at.in == nil:
		return nil, s.chooseOne()
	}
	if err := s.may(toList, at); err != nil {
		return nil, err
	}
	if err := s.reach(at.in); err != nil {
		return nil, err
	}
	for i, err := range at.in.List(s.ctx) {
		if err != nil {
			return nil, err
		}
		if ok, err := path.Match(pattern, i.Name); err != nil || !ok {
			continue
		}
		if err := keep(int64(len(i.Name) + nameCost)); err != nil {
			return nil, &vfs.Error{Kind: vfs.ErrTooMany, Why: err.Error()}
		}
		if names = append(names, i.Name); len(names) > maxMatches {
			return nil, &vfs.Error{Kind: vfs.ErrTooMany, Why: "the pattern matches too many files; ask for fewer at a time"}
		}
	}
	slices.Sort(names)
	return names, nil
}
