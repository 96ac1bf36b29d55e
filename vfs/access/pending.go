package access

import (
	"errors"
	"io/fs"
	"slices"

	"shelf/vfs"
)

// A session's own upload answers by its name before it is closed, as an open
// file does under POSIX: to Stat and SetAttr, and to Open, Create, Rename and
// Remove as well. sshfs needs it: it returns from close(2) before it has sent
// the CLOSE, so that what a program asks for next may come first. For all other
// sessions there is nothing until CLOSE.
//
// The uploads of one name form a stack, in the order in which they were opened.
// The name stands for the top one. When an upload publishes, those below it leave
// the stack: the name stands for what is published then. One that is held, see
// temporary.go, is in the place of that: it is at the bottom.

// uploading is what this session uploads under a name, or nil.
func (s *Session) uploading(at place) *Writer {
	if stack := s.pending[at]; len(stack) > 0 {
		return stack[len(stack)-1]
	}
	return nil
}

// push puts an upload that was just opened on top.
func (s *Session) push(w *Writer) {
	for _, below := range s.pending[w.at] {
		below.turn(isCovered)
	}
	s.pending[w.at] = append(s.pending[w.at], w)
}

// drop empties the stack of a name, which stands for something else now.
func (s *Session) drop(at place) {
	stack := s.pending[at]
	delete(s.pending, at)
	for _, w := range stack {
		w.detach(isDropped)
	}
}

// detach is the turn of an upload that was taken off the stack. One that is held
// ends: no CLOSE will end it.
func (w *Writer) detach(t turn) {
	w.turn(t)
	if w.isHeld() {
		w.release(w.commit)
	}
}

// setStack replaces the stack of a name.
func (s *Session) setStack(at place, stack []*Writer) {
	if len(stack) == 0 {
		delete(s.pending, at)
		return
	}
	s.pending[at] = stack
}

// stack is that of the upload's name, and how many are below the upload in it;
// -1 is that it has left the stack.
func (w *Writer) stack() (all []*Writer, below int) {
	all = w.op.s.pending[w.at]
	return all, slices.Index(all, w)
}

// below is the upload just below this one, or nil.
func (w *Writer) below() *Writer {
	if all, n := w.stack(); n > 0 {
		return all[n-1]
	}
	return nil
}

// overtake takes those below off the stack, since this one has published.
func (w *Writer) overtake() {
	all, n := w.stack()
	if n < 0 {
		return
	}
	w.op.s.setStack(w.at, slices.Clone(all[n:]))
	for _, below := range all[:n] {
		below.detach(isOvertaken)
	}
}

// settle puts an upload that is to be held to the bottom of the stack, where it
// is in the place of a published file: instead of the one held there before.
func (w *Writer) settle() {
	w.fresh = false
	w.overtake()
	all, n := w.stack()
	if n >= 0 {
		return
	}
	rest := slices.Clone(all)
	if len(rest) > 0 && rest[0].isHeld() {
		rest = rest[1:]
	}
	w.op.s.setStack(w.at, append([]*Writer{w}, rest...))
	if len(all) > 0 && all[0].isHeld() {
		all[0].detach(isDropped)
	}
}

// leave takes an upload that has ended off the stack.
func (w *Writer) leave() {
	w.turn(isClosed)
	all, n := w.stack()
	if n < 0 {
		return
	}
	if n > 0 && n == len(all)-1 {
		all[n-1].turn(isUncovered)
	}
	w.op.s.setStack(w.at, slices.Delete(all, n, n+1))
}

// allFresh tells whether nothing was written to the uploads of a name, and they
// started from what it stands for: then SetAttr of the name is about what is
// published. A client may open a file and never write to it nor close it, as
// phpseclib's is_writable does; what it then sets by name must outlast that.
func (s *Session) allFresh(at place) bool {
	if !at.in.allow(toSetAttr) {
		return false
	}
	return !slices.ContainsFunc(s.pending[at], func(w *Writer) bool { return !w.fresh })
}

// startAnew has the uploads of a name, to which nothing was written, start from
// what is published now, in which a has been set.
func (s *Session) startAnew(at place, a vfs.Attr) {
	for _, w := range s.pending[at] {
		o := s.createOptions(at, Flags{})
		o.Check = w.judged.check()
		up, err := at.in.Create(w.ctx, at.name, o)
		if err != nil {
			w.setAttr(a) // the name has gone again: CLOSE publishes this
			continue
		}
		w.up.Abort()
		if i, err := up.Stat(); err == nil {
			w.end = i.Size
		}
		// Of what was set by the handle remains what was not set by name now.
		attr := w.attr
		attr.HasMode, attr.HasTimes = attr.HasMode && !a.HasMode, attr.HasTimes && !a.HasTimes
		w.up, w.attr = up, vfs.Attr{}
		w.setAttr(attr)
	}
}

// renamePending renames what this session uploads: it will be published under
// the new name; at once, if it is held. What is published under the old one goes
// there at once.
func (s *Session) renamePending(w *Writer, to place, replace bool) error {
	if err := w.up.SetAttr(vfs.Attr{}); err != nil {
		return err // it has failed already
	}
	if err := s.renameUpload(w, to, replace); err != nil {
		return err
	}
	all, n := w.stack()
	s.setStack(w.at, all[:n])
	s.drop(w.at)
	s.drop(to)
	w.at, w.op.event.Name, w.op.path, w.fresh = to, to.name, to.path(), false
	w.judged.renamed()
	w.transfer.renamed(to.name)
	s.pending[to] = []*Writer{w}
	if w.isHeld() && !s.hidden(to.name) {
		return w.release(w.commit)
	}
	return nil
}

// renameUpload is what the library does for it.
func (s *Session) renameUpload(w *Writer, to place, replace bool) error {
	switch hidden := s.hidden(w.at.name); {
	case hidden && s.hidden(to.name):
		return nil // the library knows neither name
	case hidden || w.isHeld() || w.at.in.underHold():
		return w.renameUpload(to.name, replace) // what others have published is theirs
	}
	_, err := w.at.in.Rename(s.ctx, w.at.name, to.name, replace)
	published := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.renameUpload(to.name, replace || published && to.in.allow(toReplace))
}

// renameUpload has Commit publish it under another name.
func (w *Writer) renameUpload(name string, replace bool) error {
	err := w.up.Rename(name, replace)
	if err == nil {
		w.replaces, w.exclusive = replace, false
	}
	return err
}
