package access

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"

	"shelf/vfs"
)

// Gate judges what an account is about to publish. It returns one of the words of
// [vfs.Event.Gate], and with an error what the client hears.
type Gate interface {
	Judge(ctx context.Context, account string, s vfs.Staged) (word string, err error)
}

// Holder is implemented by a [Gate] that may answer a client before it has judged an
// upload. What it keeps until then is the account's, by its name: the account can ask for
// it, change its attributes, rename it and remove it. To all others there is nothing.
//
// Where it has nothing of an account under a name, the error is [fs.ErrNotExist].
type Holder interface {
	// Holds tells whether it does that with an upload of an account under a name. As long
	// as one waits, a later one does, too: they are published in their order.
	Holds(account, name string) bool

	// Hold keeps an upload so that it survives a crash, and tells its id. It is judged
	// once Begin was called, or after a restart.
	Hold(ctx context.Context, u Upload, s vfs.Staged) (id string, err error)
	Begin(id string)

	// Held describes what an account has under a name: the last upload of several.
	Held(account, name string) (vfs.Info, error)

	// OpenHeld opens that. Clients read its digest, and no content.
	OpenHeld(account, name string) (vfs.File, error)

	// SetHeld changes mode and times of that.
	SetHeld(ctx context.Context, account, name string, a vfs.Attr) error

	// RenameHeld gives it another name. It comes after all that is kept under that; with
	// replace it may replace a file when it is published.
	RenameHeld(ctx context.Context, account, old, new string, replace bool) error

	// DropHeld removes all that the account has under the name.
	DropHeld(ctx context.Context, account, name string) error
}

// Upload is what is known of an upload that is to be kept.
type Upload struct {
	Account string
	From    vfs.Origin
	Own     bool        // other accounts have other libraries by that label
	Replace bool        // it may replace a file
	Mode    fs.FileMode // that was asked for a new file
	Attr    vfs.Attr    // mode and times that were set
	Bytes   int64       // that the client has written
	SHA256  []byte      // nil is not known

	// Charged is what the library holds of its limits now, with this upload.
	Charged vfs.UsageInfo
}

// errHeld is that nothing is published now, and that this is right.
var errHeld = errors.New("the upload is kept until it is judged")

// holder is the gate of the library, if that keeps uploads, or nil.
func (l *share) holder() Holder {
	h, _ := l.rights.Load().gate.(Holder)
	return h
}

// waiting is what the account has uploaded under a name and nobody has judged yet.
func (s *Session) waiting(at place) (i vfs.Info, ok bool) {
	h := at.in.holder()
	if h == nil {
		return i, false
	}
	i, err := h.Held(s.account, at.name)
	return i, err == nil
}

// isWaiting tells whether there is such an upload.
func (s *Session) isWaiting(at place) bool {
	_, ok := s.waiting(at)
	return ok
}

// overWaiting is the policy of an upload under the name of such a one. It stands for a
// file that exists, whose content nobody may see.
func (s *Session) overWaiting(at place, f Flags) error {
	switch {
	case s.uploading(at) != nil || !s.isWaiting(at):
		return nil
	case f.Create && f.Exclusive:
		return vfs.Exists()
	case !at.in.allow(toReplace):
		return at.in.refuse(toReplace)
	case !f.Truncate:
		return notJudged()
	}
	return nil
}

// notJudged refuses what takes the content of an upload that waits.
func notJudged() error {
	return &vfs.Error{Kind: vfs.ErrUnavailable, Why: "the file is there, and waits for the verdict of a check; try again later"}
}

// setWaiting is SetAttr of an upload that waits. waits is false if there is none.
func (s *Session) setWaiting(at place, a vfs.Attr) (waits bool, err error) {
	i, waits := s.waiting(at)
	if !waits {
		return false, nil
	}
	if a.HasSize && a.Size != i.Size {
		return true, notJudged()
	}
	err = at.in.holder().SetHeld(s.ctx, s.account, at.name, a)
	return !errors.Is(err, fs.ErrNotExist), err
}

// renameWaiting is Rename of an upload that waits, and of what is published under its
// name. The error is fs.ErrNotExist if it does not wait any more.
func (s *Session) renameWaiting(from, to place, replace bool) error {
	if !replace && s.isPublished(to) {
		return vfs.Exists()
	}
	c, err := from.in.Rename(s.ctx, from.name, to.name, replace)
	switch {
	case err == nil:
		s.sums.moved(c)
		s.keepOwn(from, to, c)
		replace = replace || to.in.allow(toReplace)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return from.in.holder().RenameHeld(s.ctx, s.account, from.name, to.name, replace)
}

// dropWaiting removes what waits under a name, and tells whether there was something.
func (s *Session) dropWaiting(at place) (bool, error) {
	if !s.isWaiting(at) {
		return false, nil
	}
	err := at.in.holder().DropHeld(s.ctx, s.account, at.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// judged is what the gate of a library has said of one upload. It is not asked twice
// about the same content under the same name. A nil judged is that there was no gate when the upload began.
type judged struct {
	account string
	in      *share
	last    atomic.Pointer[verdict] // about the content as it is now
	meant   atomic.Pointer[string]  // the name that a held upload will get; nil is that of the upload
	upload  atomic.Pointer[Upload]  // what is committed, if the gate may keep it
	kept    atomic.Pointer[kept]    // what the gate keeps
}

// kept is an upload that the gate keeps.
type kept struct {
	by   Holder
	id   string
	size int64 // bytes
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
		if h, u := j.in.holder(), j.upload.Load(); h != nil && u != nil && h.Holds(j.account, staged.Name) {
			return j.hold(ctx, h, *u, staged)
		}
		word, err := gate.Judge(ctx, j.account, staged)
		j.last.Store(&verdict{word, staged.Name})
		return err
	}
}

// hold has the gate keep the upload, instead of judging it now.
func (j *judged) hold(ctx context.Context, h Holder, u Upload, s vfs.Staged) error {
	id, err := h.Hold(ctx, u, s)
	if err != nil {
		return err
	}
	j.last.Store(&verdict{vfs.GateHeld, s.Name})
	j.kept.Store(&kept{h, id, s.Size})
	return errHeld
}

// holds tells whether the gate would keep the upload at its CLOSE.
func (j *judged) holds(name string) bool {
	if j == nil {
		return false
	}
	h := j.in.holder()
	return h != nil && h.Holds(j.account, name)
}

// begin has it judged, if it is kept: when its event was recorded.
func (j *judged) begin() {
	if j == nil {
		return
	}
	if k := j.kept.Load(); k != nil {
		k.by.Begin(k.id)
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

// mayBeKept tells the gate what it needs to know to keep the upload. A name that is
// taken now is told now: the client hears nothing later.
func (w *Writer) mayBeKept(sum []byte) error {
	if !w.judged.holds(w.at.name) {
		return nil
	}
	replace := w.replaces && !w.exclusive
	if !replace && (w.op.s.isWaiting(w.at) || w.op.s.isPublished(w.at)) {
		return vfs.Exists()
	}
	u := Upload{
		Account: w.op.s.account, From: w.op.s.origin, Own: w.at.in.own, Replace: replace,
		Mode: w.mode, Attr: w.attr, Bytes: w.op.event.Bytes, SHA256: sum,
	}
	if l, ok := vfs.As[vfs.Usage](w.at.in.Library); ok {
		u.Charged, _ = l.Charged()
	}
	w.judged.upload.Store(&u)
	return nil
}

// isKept is the end of an upload that the gate keeps.
func (w *Writer) isKept(sum []byte) {
	k := w.judged.kept.Load()
	e := &w.op.event
	e.Op, e.Held, e.Durable = "hold", k.id, true
	e.File = &vfs.Content{Size: k.size, SHA256: sum}
}

// judgeNow asks the gate before Commit does.
func (w *Writer) judgeNow() error {
	c, ok := vfs.As[vfs.Checker](w.up)
	if !ok || w.judged.holds(w.at.name) {
		return nil // Commit asks
	}
	err := c.Check(w.ctx)
	w.op.event.Gate = w.judged.word()
	return err
}
