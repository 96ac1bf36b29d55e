package vfs

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// draft is an upload opened for reading before it was published. Its file is
// the stage, which outlives the upload for as long as it is open.
type draft struct {
	*dirFile
	mode fs.FileMode
}

// Stat implements [File]; the stage's own mode is nothing to go by.
func (f *draft) Stat() (fs.FileInfo, error) {
	i, err := f.dirFile.Stat()
	if err != nil {
		return nil, err
	}
	described := i.(info)
	described.mode = f.mode
	return described, nil
}

// Open implements [Upload]. What is opened is the stage, which is made whole
// for that, or the base as long as nothing differs from it.
func (u *upload) Open() (File, error) {
	if err := u.usable(); err != nil {
		return nil, err
	}
	i, err := u.Stat()
	if err != nil {
		return nil, err
	}
	f := u.base
	if u.changed {
		f = u.stage.File
		if err := u.makeWhole(); err != nil {
			return nil, u.fail(err)
		}
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, storeError("open a stage", err)
	}
	return &draft{&dirFile{File: os.NewFile(uintptr(fd), u.name), name: u.name}, i.Mode()}, nil
}

// makeWhole gives the stage all that Commit would publish. Without a base there
// is nothing to fill, and which bytes were written is still known.
func (u *upload) makeWhole() error {
	if u.base == nil {
		return u.setLength()
	}
	return u.settle()
}

// createOver begins an upload that starts from a draft.
func (d *Dir) createOver(name string, o CreateOptions) (Upload, error) {
	base, ok := o.Base.(*draft)
	if !ok {
		o.Base.Close()
		return nil, &Error{Kind: ErrIO, Why: "a draft of another library"}
	}
	i, err := base.Stat()
	if err != nil {
		base.Close()
		return nil, err
	}
	return d.replace(name, base.File, i.(info), o)
}

// Rename implements [Upload].
func (u *upload) Rename(new string, replace bool) error {
	if err := u.usable(); err != nil {
		return err
	}
	if err := CheckName(new); err != nil {
		return err
	}
	if _, err := u.d.checkTarget(new, replace); err != nil {
		return err
	}
	if err := u.stage.unsave(); err != nil {
		return u.fail(err)
	}
	u.d.stages.attempts.end(u.attempt)
	u.attempt = u.d.stages.attempts.begin(u.o.Owner, new, false)
	u.name, u.o.NoReplace, u.o.Exclusive = new, !replace, false
	return nil
}
