package access

import "strings"

// partSuffix is what WinSCP adds to a name while it uploads more than 100 KB.
// To put the file x in the place of an old one it then sends REMOVE of x and
// RENAME of x.filepart, even to a server that can replace in one step.
const partSuffix = ".filepart"

// part is the name under which WinSCP uploads what is to become at.
func (at place) part() place { return place{at.in, at.name + partSuffix} }

// isPart tells whether a name is one of WinSCP's for an upload under way.
func isPart(name string) bool { return strings.HasSuffix(name, partSuffix) }

// announcesReplace tells whether Remove of a file, by an account that may replace
// files but not delete them, is the first half of that. It is if this session
// has uploaded the file's part. Nothing is removed then, and Rename replaces in
// one step: the old file is there until the new one is.
func (s *Session) announcesReplace(at place) bool {
	if at.in.allow(toRemove) || !at.in.allow(toReplace) || s.may(toRename, at.part()) != nil || !s.holds(at.part()) {
		return false
	}
	if _, err := at.in.Stat(s.ctx, at.name); err != nil {
		return false
	}
	s.replacing = at
	return true
}

// replaces tells whether a Rename is the second half.
func (s *Session) replaces(from, to place) bool {
	announced := s.replacing == to && from == to.part()
	s.replacing = place{}
	return announced
}
