package library

import (
	"errors"
	"os"
	"sync"
	"time"

	"shelf/cmd/shelfd/config"
	"shelf/vfs"
	"shelf/vfs/local"
)

// holder is a library that is open, or could not be opened.
type holder struct {
	set  *Set
	path string // on the host

	// Set.mu guards these.
	from   Source    // by its name now
	users  int       // sessions
	idle   time.Time // since when there are none
	wanted bool      // it stays open without users
	gone   bool      // it is in the settings no more

	opening sync.Mutex // one opens it, the others wait
	mu      sync.Mutex // taken last
	dir     store      // nil if it is not open; mu
	old     []store    // what was open before another disk took its place; mu
	err     error      // why it could not be opened; mu
	tried   time.Time  // when; mu
	closed  bool       // mu
}

// retry is how long an attempt to open a library counts.
const retry = 5 * time.Second

// holder counts a user of a library.
func (s *Set) holder(from Source) *holder {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.holders[from.path]
	if h == nil {
		h = &holder{set: s, path: from.path, from: from, closed: s.closed}
		s.holders[from.path] = h
	}
	h.users++
	return h
}

// leave counts one user less.
func (s *Set) leave(h *holder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.users--; h.users == 0 {
		h.idle = time.Now()
		h.closeOld()
	}
}

// uses tells whether a library is open, or about to be.
func (s *Set) uses(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holders[path] != nil
}

// closeUnused closes a library that nobody uses and that need not be open.
func (s *Set) closeUnused(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.holders[path]; h != nil && h.users == 0 && !h.wanted {
		delete(s.holders, path)
		h.close()
	}
}

// use is the library, which it opens if need be.
func (h *holder) use() (store, error) {
	h.opening.Lock()
	defer h.opening.Unlock()
	h.mu.Lock()
	dir, err, tried, closed := h.dir, h.err, h.tried, h.closed
	h.mu.Unlock()
	switch {
	case closed:
		return nil, errClosed
	case dir != nil:
		return dir, nil
	case err != nil && time.Since(tried) < retry:
		return nil, err
	}
	dir, err = h.set.open(h.source())
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil && h.closed {
		return nil, errors.Join(errClosed, dir.Close())
	}
	h.dir, h.err, h.tried = dir, err, time.Now()
	return dir, err
}

// source is where sessions get it from now.
func (h *holder) source() Source {
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	return h.from
}

// wantsOpening tells whether the library is to be open and is not. If another
// folder has taken the place of the one that is open, as when a disk is mounted
// anew, that one is left to those who use it.
func (h *holder) wantsOpening() bool {
	h.set.mu.Lock()
	wanted := h.wanted
	h.set.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir != nil && !h.dir.IsAt(h.path) {
		if _, err := os.Stat(h.path); err == nil {
			h.old, h.dir = append(h.old, h.dir), nil
		}
	}
	return wanted && h.dir == nil && time.Since(h.tried) >= retry
}

// now is what is known of the library.
func (h *holder) now() (vfs.Library, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir == nil {
		return nil, h.err
	}
	return h.dir, nil
}

// change has the library go on with other settings. Set.mu is held.
func (h *holder) change(l config.Library) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch dir := h.dir.(type) {
	case *local.Dir:
		dir.Change(h.set.options(l))
	case *inBucket:
		if !dir.isLike(l) {
			dir.Rest()                               // by what was set before, a version might go that is held now
			h.old, h.dir = append(h.old, h.dir), nil // it is opened anew
		}
	}
	h.tried = time.Time{} // what was wrong may be right now
}

// closeOld closes what nobody uses any more.
func (h *holder) closeOld() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, dir := range h.old {
		dir.Close()
	}
	h.old = nil
}

func (h *holder) close() {
	h.closeOld()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.dir != nil {
		h.dir.Close()
		h.dir = nil
	}
}
