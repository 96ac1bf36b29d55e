package bucket

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

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
