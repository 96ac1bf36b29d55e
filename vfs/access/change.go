package access

import (
	"errors"
	"io/fs"

	"shelf/vfs"
)

// Rename gives a file another name. Where that is taken the file there is
// replaced if replace is set and the account may replace files.
func (s *Session) Rename(old, new string, replace bool) (err error) {
	s.takeOver(old)
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.begin(toRename, old)
	op.event.Target = s.target(op.event.Library, new)
	defer op.finish(&err)
	from, err := s.fileToChange(old)
	if err != nil {
		return err
	}
	to, err := s.newFile(new)
	if err == nil {
		s.beforeRename(to)
		held := s.isPrivate(from)
		err = aboutHold(to, s.move(op, from, to, replace))
		op.quiet = (held || op.quiet) && err == nil // its put tells
	}
	return aboutNew(op.event.Target, err)
}

// target is the new name of a rename: in the same library the name alone.
func (s *Session) target(library, new string) string {
	at := s.locate(new)
	if at.in != nil && at.in.label == library {
		return at.name
	}
	return at.path()
}

// newFile resolves the name of a file that is to be made: what is wrong with a bad
// name is said, instead of "no such file".
func (s *Session) newFile(path string) (place, error) {
	at, err := s.file(path)
	switch {
	case err == nil:
		err = s.mayBeCalled(at)
	case !errors.Is(err, fs.ErrNotExist):
	case at.in == nil:
		err = s.chooseOne()
	default:
		err = vfs.CheckName(at.name)
	}
	return at, err
}

// aboutNew puts the new name into an error that is about that. The old name
// stands before the reason anyway. Only a new name is bad or taken: an old one
// would not exist.
func aboutNew(new string, err error) error {
	e := (*vfs.Error)(nil)
	if !errors.As(err, &e) || e.Kind != fs.ErrExist && e.Kind != vfs.ErrName {
		return err
	}
	return &vfs.Error{Kind: e.Kind, Why: vfs.Printable(new) + ": " + e.Reason(), Err: e.Err}
}

// aboutHold says of a name that is taken whether it would stay so for anybody.
func aboutHold(to place, err error) error {
	if errors.Is(err, fs.ErrExist) && to.in.permits(toReplace) && to.in.holds(toReplace) {
		return to.in.refuse(toReplace)
	}
	return err
}

func (s *Session) move(op *operation, from, to place, replace bool) error {
	if err := s.may(toRename, from); err != nil {
		return err
	}
	if from.in != to.in {
		return &vfs.Error{Kind: vfs.ErrCrossLibrary}
	}
	replace = (s.replaces(to) || replace) && to.in.allow(toReplace)
	w := s.uploading(from)
	waits := w == nil && s.isWaiting(from)
	switch {
	case (w != nil || waits) && from == to:
		return nil
	case from != to && (s.uploading(to) != nil || s.isWaiting(to)) && !replace:
		return vfs.Exists()
	case w != nil:
		return s.renamePending(w, to, replace)
	}
	if waits {
		err := s.renameWaiting(from, to, replace)
		if err == nil {
			op.quiet = true // its put tells
			s.drop(to)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// It is published meanwhile.
	}
	c, err := from.in.Rename(s.ctx, from.name, to.name, replace)
	if err != nil {
		return err
	}
	if _, err := s.dropWaiting(to); err != nil {
		return err
	}
	s.sums.moved(c)
	op.made(to.in, c)
	op.event.New = c.Replaced == vfs.Info{}
	s.drop(to)
	s.keepOwn(from, to, c)
	return nil
}

// Remove removes a file, or what the account could resume under that name.
func (s *Session) Remove(path string) (err error) {
	s.takeOver(path)
	elsewhere := s.othersHold(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	op := s.begin(toRemove, path)
	defer op.finish(&err)
	at, err := s.fileToChange(path)
	if err != nil {
		return err
	}
	if s.announcesReplace(at, elsewhere) {
		op.quiet = true // Rename will tell
		return nil
	}
	if err := s.may(toRemove, at); err != nil {
		return err
	}
	op.event.Durable = at.in.Properties().Durable
	op.quiet = s.isPrivate(at) // that nothing was published is what its put tells
	return s.remove(op, at)
}

func (s *Session) remove(op *operation, at place) error {
	err := vfs.NotExist()
	if at.in.allow(toRemove) { // else only what is resumable is removed
		err = s.removeFile(op, at)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	waited, failed := s.dropWaiting(at)
	if failed != nil {
		return failed
	}
	if s.uploading(at) != nil {
		s.drop(at)
		return nil
	}
	if waited {
		op.quiet = op.quiet || err != nil // its put tells
		return nil
	}
	if err != nil {
		return s.removePartial(at, err)
	}
	return nil
}

// removeFile removes what is published, and notes what that was, if the library can tell
// that for sure.
func (s *Session) removeFile(op *operation, at place) error {
	const tries = 3 // it may be replaced meanwhile
	l, ok := vfs.As[vfs.Expiry](at.in.Library)
	for n := 0; ok && n < tries; n++ {
		i, err := at.in.Stat(s.ctx, at.name)
		if err != nil {
			return err
		}
		if err = l.RemoveVersion(s.ctx, at.name, i.Version); err == nil {
			op.event.Replaced = s.sums.Content(i)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return at.in.Remove(s.ctx, at.name)
}

// removePartial removes what the account could resume, which nobody else sees;
// the error is absent where there is no such thing.
func (s *Session) removePartial(at place, absent error) error {
	if _, err := s.partial(at); err != nil {
		return absent
	}
	up, err := at.in.Create(s.ctx, at.name, vfs.CreateOptions{Create: true, Truncate: true, Owner: s.account})
	if err != nil {
		return err
	}
	return up.Abort()
}

// RemoveFolder refuses to remove a folder. Some clients try that after a Remove was
// refused, and show this answer.
func (s *Session) RemoveFolder(path string) error {
	at := s.locate(path)
	if at.in == nil || at.name == "" {
		return s.noFolder(at)
	}
	if err := s.may(toRemoveFolder, at); err != nil {
		return err
	}
	return s.noFolder(at)
}

// MakeFolder refuses to make a folder. Of one that exists it says so: clients that
// copy a folder make its target first.
func (s *Session) MakeFolder(path string) error {
	if s.IsFolder(path) {
		return &vfs.Error{Kind: fs.ErrExist, Why: "the library exists"}
	}
	return s.noFolder(s.locate(path))
}

// noFolder says why there is no folder to make or to remove.
func (s *Session) noFolder(at place) error {
	why := "the library has no folders"
	if at.in == nil || at.name == "" && at.in.folder != "" {
		why = "the folders here are libraries, which only the operator makes and removes"
	}
	return &vfs.Error{Kind: vfs.ErrUnsupported, Why: why}
}

// SetAttr changes the attributes of a file, or of the upload that this session
// has under way under that name.
func (s *Session) SetAttr(path string, a vfs.Attr) (err error) {
	s.takeOver(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	op := s.begin(toSetAttr, path)
	op.event.Set = a
	defer op.finish(&err)
	at, err := s.fileToChange(path)
	if err != nil {
		return err
	}
	w := s.uploading(at)
	if w != nil && !s.allFresh(at) {
		return w.setAttr(a)
	}
	if err := checkAttr(a); err != nil {
		return err
	}
	if err := s.may(toSetAttr, at); err != nil {
		return err
	}
	if w == nil {
		if waits, err := s.setWaiting(at, a); waits {
			return err
		}
	}
	err = s.setPublished(op, at, a)
	switch {
	case w == nil:
		return err
	case errors.Is(err, fs.ErrNotExist):
		return w.setAttr(a)
	case err == nil:
		s.startAnew(at, a)
	}
	return err
}

// setPublished changes the attributes of what is published.
func (s *Session) setPublished(op *operation, at place, a vfs.Attr) error {
	if limit := at.in.maxFileSize(); a.HasSize && limit > 0 && a.Size > limit {
		return vfs.FileTooLarge(limit)
	}
	judged := s.judge(at.in)
	if a.HasSize {
		a.Check = judged.check()
	}
	c, err := at.in.SetAttr(s.ctx, at.name, a)
	op.event.Gate = judged.word()
	if err != nil {
		return err
	}
	if !a.HasSize {
		s.sums.moved(c)
	}
	op.made(at.in, c)
	s.keepOwn(at, at, c)
	return nil
}

// checkAttr refuses what no account may set.
func checkAttr(a vfs.Attr) error {
	if a.HasOwner {
		return denied("files here have no owner to change")
	}
	return nil
}
