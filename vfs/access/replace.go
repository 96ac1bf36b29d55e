package access

import "strings"

// announcesReplace tells whether Remove of a file says that Rename will replace it.
// Nothing is removed then, and Rename replaces in one step: the old file is
// there until the new one is. An account that may delete can mean it, so for
// that account it takes a hidden file, which is made for nothing else, and the
// file is removed after all if no Rename follows. The session of another
// connection may hold what is to replace it.
func (s *Session) announcesReplace(at place, elsewhere bool) bool {
	deletes := at.in.allow(toRemove)
	hidden := elsewhere || s.holdsHidden(at.in.source)
	if !at.in.allow(toReplace) || !hidden && (deletes || !s.hasUploadFor(at)) {
		return false
	}
	i, err := at.in.Stat(s.ctx, at.name)
	if err != nil {
		return false
	}
	if len(s.replacing) >= maxHidden {
		clear(s.replacing)
	}
	s.replacing[at] = i.Version
	if deletes {
		s.removing = at
	}
	return true
}

// carryOut removes the file that Remove has left, since the session goes on to
// something else than a Rename to its name.
func (s *Session) carryOut() {
	at := s.removing
	if at.in == nil {
		return
	}
	s.removing = place{}
	delete(s.replacing, at)
	op := s.begin(toRemove, "/"+at.path())
	var err error
	defer op.finish(&err)
	err = s.remove(op, at)
}

// beforeRename is carryOut, unless this is the Rename.
func (s *Session) beforeRename(to place) {
	if to != s.removing {
		s.carryOut()
	}
	s.removing = place{}
}

// replaces tells whether a Rename to this place has been announced, and the file
// there is the one that was to be replaced.
func (s *Session) replaces(to place) bool {
	version, announced := s.replacing[to]
	if !announced {
		return false
	}
	delete(s.replacing, to)
	i, err := to.in.Stat(s.ctx, to.name)
	return err == nil && i.Version == version
}

// hasUploadFor tells whether this session has uploaded, under a temporary name,
// what may be to replace a file.
func (s *Session) hasUploadFor(at place) bool {
	for _, w := range s.held {
		use, meant, _ := temporary(w.at.name)
		if w.at.in == at.in && use == renames && meant == at.name {
			return true
		}
	}
	for from := range s.published {
		if from.in != at.in || !strings.HasPrefix(from.name, at.name) {
			continue
		}
		_, meant, ok := temporary(from.name)
		if ok && meant == at.name && s.may(toRename, from) == nil && s.holds(from) {
			return true
		}
	}
	return false
}
