package local

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

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
