package bucket

import (
	"context"
	"crypto"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/spool"
)

// upload is a file in the making. Its bytes wait in a file of the spool. Those that
// are written from the start without a gap are sent meanwhile, in parts.
type upload struct {
	b      *Bucket
	ctx    context.Context
	name   string
	o      vfs.CreateOptions
	id     string   // of the version that it will make
	unseen unseen   // it is not known yet what has the name
	seen   *look    // what has the name, when it was last looked at; nil is nothing
	stale  []string // keys of what lies beside what was seen
	only   bool     // it publishes only over what was seen first
	turn   string   // id of the version that no other replaces or removes meanwhile
	mode   fs.FileMode
	attr   vfs.Attr // mode and times to set at Commit
	made   int64    // when Commit began: the time of a small file, if none was set

	disk    *os.File
	content *spool.File // what was written to disk, over base
	base    base        // what the upload starts from, or nil
	shared  bool        // others have the disk open, too
	charged int64       // bytes of the spool that it takes
	limited limited     // what it takes of the library's limits

	sizes       sizing
	parts       *parts // what was sent, or nil
	next        int32  // the part to be sent next, while there was no write behind it; see advance
	late        bool   // nothing is sent before Commit
	gone        int64  // bytes from the start that only the store has
	recorder    recorder
	via         string // where it must be published first, to be renamed then
	viaReplaces bool

	sending context.Context // of parts; it outlives ctx, for Keep
	stop    context.CancelFunc
	done    bool
}

// base is what an upload can start from.
type base interface {
	vfs.File
	// again is the same, opened once more.
	again() (base, error)
}

// WriteAt implements [vfs.Upload].
func (u *upload) WriteAt(p []byte, off int64) (int, error) {
	if err := u.usable(); err != nil {
		return 0, err
	}
	n, err := u.content.WriteAt(p, off)
	if u.content.Size() > unseenSize {
		u.lookSoon()
	}
	if err == nil {
		err = u.advance()
	}
	return n, err
}

// ReadAt implements [vfs.Upload].
func (u *upload) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case u.done:
		return 0, errEnded()
	case u.ctx.Err() != nil:
		return 0, u.ctx.Err()
	case off < u.gone:
		return 0, errSent()
	}
	return u.content.ReadAt(p, off)
}

// errSent is the answer where bytes are asked for that only the store has: it does
// not give back the parts of an upload that has not ended.
func errSent() error {
	return &vfs.Error{Kind: vfs.ErrUnsupported, Why: "the beginning of this upload is in the store already; it can be read or changed after CLOSE"}
}

// Stat implements [vfs.Upload]. The mode is that of a new file, as long as it is not
// known that there is a file.
func (u *upload) Stat() (vfs.Info, error) {
	if u.done {
		return vfs.Info{}, errEnded()
	}
	now := attributes{mode: u.mode, mtime: time.Now().Unix()}
	if u.base != nil {
		i, err := u.base.Stat()
		if err != nil {
			return i, err
		}
		if !u.content.Changed() {
			now.mtime = i.ModTime.Unix()
		}
	}
	now = now.with(u.attr)
	return (&look{name: u.name, size: u.content.Size(), id: u.id, attributes: now}).info(), nil
}

// SetAttr implements [vfs.Upload].
func (u *upload) SetAttr(a vfs.Attr) error {
	if err := u.usable(); err != nil {
		return err
	}
	if a.HasSize {
		if err := u.content.Truncate(a.Size); err != nil {
			return err
		}
	}
	u.attr.Add(a)
	return nil
}

// Rename implements [vfs.Upload]. What was sent under the old name is sent again
// under the new one, from the spool. What is not there any more is published under the
// old one first.
func (u *upload) Rename(new string, replace bool) error {
	if err := u.usable(); err != nil {
		return err
	}
	if err := vfs.CheckName(new); err != nil {
		return err
	}
	if err := u.lookAtLast(u.ctx); err != nil {
		return err
	}
	now, err := u.b.look(u.ctx, new)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		now = nil
	case err != nil:
		return err
	case !replace:
		return vfs.Exists()
	}
	if u.gone > 0 {
		if u.via == "" {
			u.via = u.name
		}
	} else {
		u.recorder.drop(u)
		u.dropParts()
		u.stale = nil
		u.see(now)
	}
	u.name, u.o.NoReplace, u.o.Exclusive = new, !replace, false
	return nil
}

// replaces tells whether it may take the place of a file.
func (u *upload) replaces() bool { return !u.o.NoReplace && !(u.o.Create && u.o.Exclusive) }

// Sync implements [vfs.Upload]. Nothing here survives the node before Commit, but for
// the parts that were sent; see [Bucket.Properties].
func (u *upload) Sync() error { return u.usable() }

// usable is the error that ended the upload, or nil.
func (u *upload) usable() error {
	if u.done {
		return errEnded()
	}
	if err := u.content.Err(); err != nil {
		return err
	}
	return u.ctx.Err()
}

func errEnded() error { return &vfs.Error{Kind: vfs.ErrBadHandle, Why: "the upload has ended"} }

// Digest implements [vfs.Digest] for what a Commit now would publish. Of bytes that
// only the store has, the SHA-256 was computed before they went.
func (u *upload) Digest(ctx context.Context, a crypto.Hash) ([]byte, error) {
	if u.gone == 0 {
		return vfs.ReadDigest(ctx, u, a)
	}
	sum, off := u.recorder.sum(u)
	if a != crypto.SHA256 || sum == nil || off > u.content.Size() {
		return nil, errSent()
	}
	rest := io.NewSectionReader(u.content, off, u.content.Size()-off)
	if _, err := io.Copy(sum, rest); err != nil {
		return nil, vfs.SystemError("read", err)
	}
	return sum.Sum(nil), nil
}

// Write implements [spool.Owner].
func (u *upload) Write(off, end int64) error {
	if err := u.checkSize(end); err != nil {
		return err
	}
	if err := u.changes(off, end); err != nil {
		return err
	}
	if err := u.hold(max(end, u.content.Size())); err != nil {
		return err
	}
	if u.content.Written(off, end) {
		return nil
	}
	return u.charge(max(end-max(0, off), end-u.content.Size()))
}

// Resize implements [spool.Owner].
func (u *upload) Resize(size int64) error {
	if err := u.checkSize(size); err != nil {
		return err
	}
	if err := u.hold(size); err != nil {
		return err
	}
	if now := u.content.Size(); size >= now {
		return u.charge(size - now)
	}
	return u.changes(size, u.content.Size())
}

// Copy implements [spool.Owner].
func (u *upload) Copy(n int64) error { return u.charge(n) }

// checkSize refuses a file past the account's limit, or past that of the store.
func (u *upload) checkSize(size int64) error {
	if u.o.MaxSize > 0 && size > u.o.MaxSize {
		return vfs.FileTooLarge(u.o.MaxSize)
	}
	if most := u.sizes.end(maxParts); size > most {
		return vfs.FileTooLarge(most)
	}
	return nil
}

// charge takes n bytes of the spool. If there are not as many, what was sent gives
// back what it takes.
func (u *upload) charge(n int64) error {
	if !u.b.o.Spool.Take(n) {
		if err := u.shrink(); err != nil {
			return err
		}
		if !u.b.o.Spool.Take(n) {
			return errSpoolFull()
		}
	}
	u.charged += n
	return nil
}

// errSpoolFull is what a client is told whose upload has no room to wait.
func errSpoolFull() error {
	return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the server has no room for more uploads under way; try again later"}
}

// shrink gives back the disk that the parts take which were sent. The upload can't be
// changed there after that, nor judged.
func (u *upload) shrink() error {
	if u.shared || u.parts == nil || u.late || u.o.Check != nil {
		return nil
	}
	u.parts.wait()
	end := u.sizes.end(u.parts.inOrder())
	if end <= u.gone {
		return nil
	}
	if err := spool.Punch(u.disk, u.gone, end-u.gone); err != nil {
		if errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		return vfs.SystemError("fallocate", err)
	}
	u.b.o.Spool.Take(u.gone - end)
	u.charged -= end - u.gone
	u.gone = end
	return nil
}

// changes is called when bytes from off to end are about to change, which may have
// been sent.
func (u *upload) changes(off, end int64) error {
	if u.parts == nil || off >= u.sizes.end(u.next-1) {
		return nil
	}
	if off < u.gone {
		return errSent()
	}
	if !u.late {
		// Who went on with these parts would have the old bytes.
		u.late = true
		u.recorder.drop(u)
	}
	u.parts.forget(u.sizes, off, end)
	return nil
}

// end ends the upload and gives back what it takes on this node.
func (u *upload) end() error {
	u.done = true
	u.stop()
	if u.parts != nil {
		u.parts.wait()
	}
	u.b.o.Spool.Take(-u.charged)
	u.charged = 0
	u.recorder.release(u)
	u.letGo()
	if u.content != nil {
		return u.content.Close()
	}
	if u.disk != nil {
		return u.disk.Close()
	}
	return nil
}

// draft is an upload opened for reading before it was published: its file of the
// spool, which is there for as long as somebody has it open.
type draft struct {
	*os.File
	info vfs.Info
}

// Open implements [vfs.Upload]. What is opened is the file of the spool, which is
// made whole for that, or the base as long as nothing differs from it.
func (u *upload) Open() (vfs.File, error) {
	if err := u.usable(); err != nil {
		return nil, err
	}
	if u.gone > 0 {
		return nil, errSent()
	}
	if !u.content.Changed() {
		return u.base.again()
	}
	if err := u.content.Settle(); err != nil {
		return nil, err
	}
	i, err := u.Stat()
	if err != nil {
		return nil, err
	}
	u.shared = true
	return (&draft{u.disk, i}).again()
}

// again implements [base].
func (f *draft) again() (base, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, vfs.SystemError("open a draft", err)
	}
	return &draft{os.NewFile(uintptr(fd), f.info.Name), f.info}, nil
}

// Stat implements [vfs.File].
func (f *draft) Stat() (vfs.Info, error) {
	st, err := f.File.Stat()
	if err != nil {
		return vfs.Info{}, vfs.SystemError("fstat", err)
	}
	i := f.info
	i.Size = st.Size()
	return i, nil
}

// ReadAt implements [io.ReaderAt].
func (f *draft) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, io.EOF
	}
	n, err := f.File.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = vfs.SystemError("read", err)
	}
	return n, err
}
