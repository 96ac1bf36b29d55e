package access

import (
	"io/fs"

	"shelf/vfs"
)

// stopped is why a session may do nothing more, and what becomes of its uploads.
type stopped struct {
	why  error
	keep bool
}

// Stop lets the session do nothing more: its calls fail with why, a clause for
// the person at the client. A call under way is not held up, so an upload that is
// being published is published. What is uploaded ends with nothing published,
// and only with keep its beginning may be resumed. Any goroutine may call Stop.
func (s *Session) Stop(why string, keep bool) {
	s.stop.CompareAndSwap(nil, &stopped{&vfs.Error{Kind: fs.ErrPermission, Why: why}, keep})
}

// Stopped is the error of a session that may do nothing more, or nil. Any
// goroutine may call it.
func (s *Session) Stopped() error {
	if stop := s.stop.Load(); stop != nil {
		return stop.why
	}
	return nil
}

// forgets tells whether nothing may be kept of what the session uploads.
func (s *Session) forgets() bool {
	stop := s.stop.Load()
	return stop != nil && !stop.keep
}

// Answer begins the end of an upload, with the answer that the client must hear:
// who ends the session waits until done is called.
func (s *Session) Answer() (done func()) {
	s.answers.Add(1)
	return func() { s.answers.Add(-1) }
}

// Answering tells whether the client waits to hear how an upload ended. Any
// goroutine may call it. When it is false after Stop, nothing is published any
// more.
func (s *Session) Answering() bool { return s.answers.Load() > 0 }
