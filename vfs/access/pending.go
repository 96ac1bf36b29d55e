package access

import (
	"errors"
	"io/fs"

	"shelf/vfs"
)

// A session's own upload answers by its name before it is closed, as an open
// file does under POSIX: to Stat and SetAttr, and to Open, Create, Rename and
// Remove as well. sshfs needs it: it returns from close(2) before it has sent
// the CLOSE, so that what a program asks for next may come first. For all other
// sessions there is nothing until CLOSE.
//
// Uploads of one name lie on each other in the order in which they were opened.
// The name stands for the uppermost. An upload that publishes takes those below
// it off: the name stands for what is published then.

// uploading is what this session uploads under a name, or nil.
func (s *Session) uploading(at place) *Writer {
	if pile := s.pending[at]; len(pile) > 0 {
		return pile[len(pile)-1]
	}
	return nil
}

// cover puts an upload that was just opened onto those of its name.
func (s *Session) cover(w *Writer) {
	for _, below := range s.pending[w.at] {
		below.turn(isCovered)
	}
	s.pending[w.at] = append(s.pending[w.at], w)
}

// drop takes all uploads off a name, which stands for something else now.
func (s *Session) drop(at place) {
	for _, w := range s.pending[at] {
		w.turn(isDropped)
	}
	delete(s.pending, at)
}

// below is the upload that w lies on, or nil.
func (w *Writer) below() *Writer {
	if n := w.depth(); n > 0 {
		return w.op.s.pending[w.at][n-1]
	}
	return nil
}

// depth is how many uploads w lies on; -1 is that it does not lie on its name's
// pile any more.
func (w *Writer) depth() int {
	for n, x := range w.op.s.pending[w.at] {
		if x == w {
			return n
		}
	}
	return -1
}

// overtake takes those that w lies on off their name, since w has published.
// They are closed late.
func (w *Writer) overtake() {
	n := max(0, w.depth())
	pile := w.op.s.pending[w.at]
	for _, below := range pile[:n] {
		below.turn(isOvertaken)
	}
	w.op.s.pile(w.at, pile[n:])
}

// leave takes w, which has ended, off its name. What it lay on comes to light.
func (w *Writer) leave() {
	w.turn(isClosed)
	n := w.depth()
	if n < 0 {
		return
	}
	pile := w.op.s.pending[w.at]
	if n > 0 && n == len(pile)-1 {
		pile[n-1].turn(isUncovered)
	}
	w.op.s.pile(w.at, append(pile[:n:n], pile[n+1:]...))
}

// pile sets what lies on a name.
func (s *Session) pile(at place, pile []*Writer) {
	if len(pile) == 0 {
		delete(s.pending, at)
		return
	}
	s.pending[at] = pile
}

// renamePending renames what this session uploads: it will be published under
// the new name. What is published under the old one goes there at once.
func (s *Session) renamePending(w *Writer, to place, replace bool) error {
	if err := w.up.SetAttr(vfs.Attr{}); err != nil {
		return err // it has failed already
	}
	err := w.at.in.Rename(s.ctx, w.at.name, to.name, replace)
	published := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := w.up.Rename(to.name, replace || published && to.in.allow(toReplace)); err != nil {
		return err
	}
	s.pile(w.at, s.pending[w.at][:w.depth()])
	s.drop(w.at)
	s.drop(to)
	w.at, w.op.event.Name = to, to.name
	s.pending[to] = []*Writer{w}
	return nil
}
