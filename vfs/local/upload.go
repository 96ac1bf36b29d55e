package local

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/quota"
	"shelf/vfs/spool"
)

// upload is a file in the making: a stage over the file that it replaces.
type upload struct {
	d        *Dir
	in       *stages // of this instance when the upload began
	name     string
	o        vfs.CreateOptions
	attempt  attempt
	stage    *stage
	content  *spool.File // what was written to the stage, over base
	base     *os.File    // the version the upload starts from, or nil
	only     fileID      // if set, it publishes only over this file
	mode     fs.FileMode
	attr     vfs.Attr     // mode and times to set at Commit
	room     int64        // bytes that the disk was found to have room for
	held     quota.Amount // what it is charged
	credit   quota.Amount // what it need not be charged, as replaces is counted
	replaces fileID       // zero is none
	replaced vfs.Info     // what had the name before; zero is nothing
	done     bool

	owner       string // the account whose file it will be; "" is nobody
	owned       bool   // it was found out what the owner has of the file that is replaced
	ownedBefore int64  // that, in bytes
	ownHeld     int64  // what the owner is charged, in bytes
}

// WriteAt implements [vfs.Upload].
func (u *upload) WriteAt(p []byte, off int64) (int, error) {
	if err := u.usable(); err != nil {
		return 0, err
	}
	return u.content.WriteAt(p, off)
}

// ReadAt implements [vfs.Upload].
func (u *upload) ReadAt(p []byte, off int64) (int, error) {
	if u.done {
		return 0, errEnded()
	}
	return u.content.ReadAt(p, off)
}

// Stat implements [vfs.Upload].
func (u *upload) Stat() (vfs.Info, error) {
	i, err := (&dirFile{File: u.current(), name: u.name}).stat()
	if err != nil {
		return vfs.Info{}, err
	}
	i.size, i.mode = u.content.Size(), u.mode
	if u.attr.HasMode {
		i.mode = vfs.FileMode(u.attr.Mode)
	}
	if u.attr.HasTimes {
		i.mtime = u.attr.Mtime
	}
	return i.public(), nil
}

// current is the file that has the content: the base as long as nothing differs
// from it.
func (u *upload) current() *os.File {
	if u.content.Changed() {
		return u.stage.File
	}
	return u.base
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
	if u.d.o.now().FileMode != 0 {
		a.HasMode = false
	}
	u.attr.Add(a)
	return nil
}

// Rename implements [vfs.Upload].
func (u *upload) Rename(new string, replace bool) error {
	if err := u.usable(); err != nil {
		return err
	}
	if err := vfs.CheckName(new); err != nil {
		return err
	}
	if _, err := u.d.checkTarget(new, replace); err != nil {
		return err
	}
	if err := u.stage.unsave(); err != nil {
		return u.content.Fail(err)
	}
	u.in.attempts.end(u.attempt)
	u.attempt = attempt{}
	mine, err := u.in.beginAttempt(u.o.Owner, new)
	if err != nil {
		return u.content.Fail(err)
	}
	u.attempt = mine
	if err := u.stage.wouldBe(u.attempt.entry); err != nil {
		return u.content.Fail(err)
	}
	u.name, u.o.NoReplace, u.o.Exclusive = new, !replace, false
	return nil
}

// changes is called when bytes from off on are about to change, which may have
// been saved. What lies before that stays saved, if it is worth it.
func (u *upload) changes(off int64) error {
	if off >= u.stage.saved.Load() {
		return nil
	}
	if u.d.o.now().Partials.worth(u.o.Owner, off) {
		return u.stage.save(u.attempt, off)
	}
	return u.stage.unsave()
}

// usable is the error that ended the upload, or nil.
func (u *upload) usable() error {
	if u.done {
		return errEnded()
	}
	if u.in.isLost.Load() {
		return errLost
	}
	return u.content.Err()
}

func errEnded() error { return &vfs.Error{Kind: vfs.ErrBadHandle, Why: "the upload has ended"} }

// draft is an upload opened for reading before it was published. Its file is
// the stage, which outlives the upload for as long as it is open.
type draft struct {
	*dirFile
	mode fs.FileMode
}

// Stat implements [vfs.File]; the stage's own mode does not count.
func (f *draft) Stat() (vfs.Info, error) {
	i, err := f.stat()
	return i.public(), err
}

func (f *draft) stat() (info, error) {
	i, err := f.dirFile.stat()
	i.mode = f.mode
	return i, err
}

// Open implements [vfs.Upload]. What is opened is the stage, which is made whole
// for that, or the base as long as nothing differs from it.
func (u *upload) Open() (vfs.File, error) {
	if err := u.usable(); err != nil {
		return nil, err
	}
	i, err := u.Stat()
	if err != nil {
		return nil, err
	}
	if u.content.Changed() {
		if err := u.content.Settle(); err != nil {
			return nil, err
		}
	}
	fd, err := unix.FcntlInt(u.current().Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, vfs.SystemError("open a stage", err)
	}
	return &draft{&dirFile{File: os.NewFile(uintptr(fd), u.name), name: u.name}, i.Mode}, nil
}

// createOver begins an upload that starts from a draft.
func (d *Dir) createOver(name string, o vfs.CreateOptions) (vfs.Upload, error) {
	base, ok := vfs.As[*draft](o.Base)
	if !ok {
		o.Base.Close()
		return nil, &vfs.Error{Kind: vfs.ErrIO, Why: "the upload's base is from another library"}
	}
	i, err := base.stat()
	if err != nil {
		base.Close()
		return nil, err
	}
	return orNil(d.replace(name, base.File, i, o))
}
