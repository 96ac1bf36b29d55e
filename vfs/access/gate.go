package access

import (
	"context"
	"sync/atomic"

	"shelf/vfs"
)

// Gate judges what an account is about to publish. It returns one of the words of
// [vfs.Event.Gate], and with an error what the client hears.
type Gate interface {
	Judge(ctx context.Context, account string, s vfs.Staged) (word string, err error)
}

// judged is what the gate of a library has said of one upload. It is not asked twice
// about the same content under the same name. A nil judged is that there was no gate when the upload began.
type judged struct {
	account string
	in      *share
	last    atomic.Pointer[verdict] // about the content as it is now
	meant   atomic.Pointer[string]  // the name that a held upload will get; nil is that of the upload
}

// verdict is what the gate has said of a content under a name: it may depend on both.
type verdict struct{ word, name string }

// judge is for an upload to a library, or nil if that has no gate.
func (s *Session) judge(in *share) *judged {
	if in.rights.Load().gate == nil {
		return nil
	}
	return &judged{account: s.account, in: in}
}

// check is what the library asks, or nil.
func (j *judged) check() vfs.Check {
	if j == nil {
		return nil
	}
	return func(ctx context.Context, staged vfs.Staged) error {
		gate := j.in.rights.Load().gate // a reload may have changed it
		if meant := j.meant.Load(); meant != nil {
			staged.Name = *meant
		}
		if gate == nil || j.passed(staged.Name) {
			return nil
		}
		word, err := gate.Judge(ctx, j.account, staged)
		j.last.Store(&verdict{word, staged.Name})
		return err
	}
}

// passed tells whether the content as it is now was let in, under this name.
func (j *judged) passed(name string) bool {
	v := j.last.Load()
	return v != nil && v.name == name && (v.word == vfs.GatePassed || v.word == vfs.GateUnchecked)
}

// willBe is called when an upload is held under a temporary name.
func (j *judged) willBe(meant string) {
	if j != nil {
		j.meant.Store(&meant)
	}
}

// renamed is called when it has got another name, under which it is judged from now on.
func (j *judged) renamed() {
	if j != nil {
		j.meant.Store(nil)
	}
}

// forget is called when the content changes.
func (j *judged) forget() {
	if j != nil {
		j.last.Store(nil)
	}
}

// word is what the event tells.
func (j *judged) word() string {
	if j == nil || j.last.Load() == nil {
		return ""
	}
	return j.last.Load().word
}

// judgeNow asks the gate before Commit does.
func (w *Writer) judgeNow() error {
	c, ok := vfs.As[vfs.Checker](w.up)
	if !ok {
		return nil // Commit asks
	}
	err := c.Check(w.ctx)
	w.op.event.Gate = w.judged.word()
	return err
}
