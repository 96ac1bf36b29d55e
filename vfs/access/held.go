package access

import (
	"context"
	"errors"
	"slices"

	"shelf/vfs"
)

// contextFor is the context of an upload. If CLOSE may hold it, its context no
// longer ends with the client once stay was called; that is false if the client
// has gone before, and for all other uploads.
func (s *Session) contextFor(at place) (ctx context.Context, stay func() bool) {
	use, _, ok := temporary(at.name)
	if !ok || use == elsewhere || s.temporaries == nil {
		return s.ctx, func() bool { return false }
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	return ctx, context.AfterFunc(s.ctx, cancel)
}

// waits tells whether CLOSE of an upload waits for a RENAME.
func (w *Writer) waits() bool {
	s := w.op.s
	if outcomes[w.state] != publish || w.below() != nil && !w.wrote {
		return false
	}
	if s.hidden(w.at.name) {
		w.stay()
		return true
	}
	use, meant, ok := temporary(w.at.name)
	return ok && s.temporaries != nil && use == renames &&
		(w.at.in.underHold() || w.at.in.allow(toReplace) && s.isPublished(place{w.at.in, meant})) && !s.isPublished(w.at) &&
		w.stay()
}

func (s *Session) isPublished(at place) bool {
	_, err := at.in.Stat(s.ctx, at.name)
	return err == nil
}

// hold is CLOSE of such an upload. One under a visible name is synced: if the
// server crashes, its account can resume it, as if the client had been cut off. It is
// judged now, under the name that is meant: if no RENAME follows, nobody will hear later
// that it was refused.
func (w *Writer) hold() error {
	check := func() error { return errors.Join(w.up.Sync(), w.judgeNow()) }
	if w.op.s.hidden(w.at.name) {
		check = func() error { return w.up.SetAttr(vfs.Attr{}) }
	}
	if _, meant, ok := temporary(w.at.name); ok && meant != "" {
		w.judged.willBe(meant)
	}
	if err := check(); err != nil {
		return w.finish(func() error { return errors.Join(err, w.up.Abort()) })
	}
	w.settle()
	w.turn(isHeld)
	w.op.s.keep(w)
	w.op.s.open.Add(-1)
	w.transfer.end()
	return nil
}

// keep and forget remember what is held.
func (s *Session) keep(w *Writer) {
	s.held = append(s.held, w)
	s.temporaries.add(s)
}

func (s *Session) forget(w *Writer) {
	s.held = slices.DeleteFunc(s.held, func(x *Writer) bool { return x == w })
}

// isHeld tells whether CLOSE has come, and RENAME has not.
func (w *Writer) isHeld() bool { return slices.Contains(w.op.s.held, w) }

// release ends an upload that is held: it is published, unless its name stands
// for something else now.
func (w *Writer) release(how func() error) error {
	w.op.s.forget(w)
	return w.conclude(how)
}

// publishHeld publishes what is held under a visible name, since the session goes
// on to something else than a RENAME: so it was no temporary file. What is held
// under the name at stays.
func (s *Session) publishHeld(at place) {
	for _, w := range slices.Clone(s.held) {
		if w.at != at && !s.hidden(w.at.name) {
			w.release(w.commit)
		}
	}
}

// errNotRenamed is what the event says of a temporary file that is dropped.
var errNotRenamed = &vfs.Error{Kind: vfs.ErrCut, Why: "not published: the session ended and had not renamed this temporary file"}

// End ends what CLOSE has held, and gives back the libraries. It is to be called when nothing is open any more.
func (s *Session) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.leaveAll()
	if s.temporaries == nil {
		return
	}
	defer s.temporaries.remove(s)
	s.publishHeld(place{})
	for _, w := range slices.Clone(s.held) {
		w.release(w.drop)
	}
}

// drop ends a temporary file that nobody has renamed.
func (w *Writer) drop() error {
	w.op.aside = errNotRenamed
	return w.up.Abort()
}

// isPrivate tells whether a name is nobody's but this session's.
func (s *Session) isPrivate(at place) bool {
	w := s.uploading(at)
	return w != nil && (s.hidden(at.name) || w.isHeld())
}
