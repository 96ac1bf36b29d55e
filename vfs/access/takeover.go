package access

import (
	"strings"
	"sync"

	"shelf/vfs"
)

// Temporaries lets the sessions of an account find what one of them holds under
// a hidden name. GVFS has two connections: it uploads over one, and sends REMOVE
// and RENAME over the other.
//
// A session has a lock for that, which it takes for each call by name. Nobody
// takes a second session's lock; mu is taken last.
type Temporaries struct {
	mu       sync.Mutex
	sessions map[holder]map[*Session]struct{} // those that have held something; mu
}

// holder is whose uploads they are. A Library is a pointer.
type holder struct {
	account string
	library vfs.Library
}

// NewTemporaries is for all sessions of a server.
func NewTemporaries() *Temporaries {
	return &Temporaries{sessions: make(map[holder]map[*Session]struct{})}
}

func (s *Session) holder() holder { return holder{s.account, s.library.Library} }

// add tells of a session that holds something.
func (t *Temporaries) add(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.sessions[s.holder()]
	if all == nil {
		all = make(map[*Session]struct{})
		t.sessions[s.holder()] = all
	}
	all[s] = struct{}{}
}

// remove tells of one that has ended.
func (t *Temporaries) remove(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.sessions[s.holder()]
	if delete(all, s); len(all) == 0 {
		delete(t.sessions, s.holder())
	}
}

// others are the other sessions of an account that have held something.
func (t *Temporaries) others(s *Session) (all []*Session) {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for other := range t.sessions[s.holder()] {
		if other != s {
			all = append(all, other)
		}
	}
	return all
}

// takeOver makes an upload this session's that another session of the account
// holds under a hidden name, so that it can be renamed, removed or changed here.
// It is called without the lock.
func (s *Session) takeOver(path string) {
	name := strings.TrimPrefix(clean(path), "/")
	if use, _, _ := temporary(name); !s.hidden(name) || use != renames || !s.mayTakeOver(name) {
		return
	}
	for _, other := range s.temporaries.others(s) {
		if w := other.handOver(name); w != nil {
			s.receive(w)
			return
		}
	}
}

func (s *Session) mayTakeOver(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{&s.library, name}
	return s.uploading(at) == nil && s.mayHide(at) == nil
}

// handOver gives away what this session holds under a name, or nil.
func (s *Session) handOver(name string) *Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.uploading(place{&s.library, name})
	// The state of one that is open is not guarded by the lock: it is being written.
	if w == nil || !w.isHeld() || w.state != held {
		return nil
	}
	s.forget(w)
	given := *w
	w.leave()
	return &given
}

// receive holds what another session has handed over.
func (s *Session) receive(w *Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.op = &operation{s: s, name: w.op.name, event: w.op.event}
	w.at.in = &s.library
	s.pending[w.at] = []*Writer{w}
	s.keep(w)
}

// othersHold tells whether another session of the account holds what a Rename may
// put in the place of any file.
func (s *Session) othersHold() bool {
	for _, other := range s.temporaries.others(s) {
		if other.tellsHidden() {
			return true
		}
	}
	return false
}

func (s *Session) tellsHidden() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holdsHidden()
}

// holdsHidden tells whether a Rename may follow of what this session holds under
// a hidden name, which does not tell the name that is meant.
func (s *Session) holdsHidden() bool {
	for _, w := range s.held {
		if use, _, _ := temporary(w.at.name); use == renames && s.hidden(w.at.name) {
			return true
		}
	}
	return false
}
