package access

import "shelf/vfs"

// own remembers a version that this session published.
func (s *Session) own(at place, i vfs.Info) {
	const most = 10000 // names; a session that uploads more forgets them
	if !at.in.remembers(at.name) {
		return
	}
	if len(s.published) >= most {
		clear(s.published)
	}
	s.published[at] = i.Version
}

// isOwn tells whether a file is the one that this session published.
func (s *Session) isOwn(at place, i vfs.Info) bool {
	v, ok := s.published[at]
	return ok && v == i.Version
}

// holds is isOwn for what has not been looked at.
func (s *Session) holds(at place) bool {
	if _, ok := s.published[at]; !ok {
		return false
	}
	i, err := at.in.Stat(s.ctx, at.name)
	return err == nil && s.isOwn(at, i)
}

// keepOwn keeps what was this session's own its own, under the name that it has
// after a change. It goes by what was changed: by then that may have been
// another's.
func (s *Session) keepOwn(from, to place, c vfs.Change) {
	own := s.isOwn(from, c.Before)
	delete(s.published, from)
	if own {
		s.own(to, c.After)
	}
}

// remembers tells whether versions must be remembered: whether owning a file
// allows something that the account may not do otherwise.
func (l *share) remembers(name string) bool {
	for a, r := range policy {
		if r.excuses&own != 0 && !l.allow(action(a)) {
			return true
		}
	}
	_, meant, _ := temporary(name)
	return meant != "" && !l.allow(toRemove)
}
