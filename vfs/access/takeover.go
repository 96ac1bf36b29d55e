package access

import (
	"sync"
)

// Temporaries lets the sessions of an account find what one of them holds under
// a hidden name. GVFS has two connections: it uploads over one, and sends REMOVE
// and RENAME over the other.
//
// A session has a lock for that, which it takes for each call by name. Nobody
// takes a second session's lock; mu is taken last.
type Temporaries struct {
	mu       sync.Mutex
	sessions map[string]map[*Session]struct{} // those that have held something, by account; mu
}

// NewTemporaries is for all sessions of a server.
func NewTemporaries() *Temporaries {
	return &Temporaries{sessions: make(map[string]map[*Session]struct{})}
}

// add tells of a session that holds something.
func (t *Temporaries) add(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.sessions[s.account]
	if all == nil {
		all = make(map[*Session]struct{})
		t.sessions[s.account] = all
	}
	all[s] = struct{}{}
}

// remove tells of one that has ended.
func (t *Temporaries) remove(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.sessions[s.account]
	if delete(all, s); len(all) == 0 {
		delete(t.sessions, s.account)
	}
}

// others are the other sessions of an account that have held something.
func (t *Temporaries) others(s *Session) (all []*Session) {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for other := range t.sessions[s.account] {
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
	at := s.locate(path)
	if use, _, _ := temporary(at.name); at.in == nil || !s.hidden(at.name) || use != renames || !s.mayTakeOver(at) {
		return
	}
	for _, other := range s.temporaries.others(s) {
		if w := other.handOver(at.in.source, at.name); w != nil {
			s.receive(w, at)
			return
		}
	}
}

// mayTakeOver tells whether this session can hold an upload of that name. For that
// it opens the library, which the other session may give back.
func (s *Session) mayTakeOver(at place) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.uploading(at) == nil && s.mayHide(at) == nil && s.reach(at.in) == nil
}

// handOver gives away what this session holds under a name, or nil.
func (s *Session) handOver(source Source, name string) *Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.uploading(place{s.from(source), name})
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
func (s *Session) receive(w *Writer, at place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.op = &operation{s: s, name: w.op.name, path: at.path(), event: w.op.event}
	w.at = at
	s.pending[w.at] = []*Writer{w}
	s.keep(w)
}

// othersHold tells whether another session of the account holds what a Rename may
// put in the place of any file of the library that a path is in.
func (s *Session) othersHold(path string) bool {
	at := s.locate(path)
	for _, other := range s.temporaries.others(s) {
		if at.in != nil && other.tellsHidden(at.in.source) {
			return true
		}
	}
	return false
}

func (s *Session) tellsHidden(source Source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holdsHidden(source)
}

// holdsHidden tells whether a Rename may follow of what this session holds in a
// library under a hidden name, which does not tell the name that is meant.
func (s *Session) holdsHidden(source Source) bool {
	for _, w := range s.held {
		use, _, _ := temporary(w.at.name)
		if w.at.in.source == source && use == renames && s.hidden(w.at.name) {
			return true
		}
	}
	return false
}
