package vfs

import (
	"errors"
	"io"
	"io/fs"

	"github.com/pkg/sftp"
)

// Fileread implements [sftp.FileReader]: OPEN for reading.
func (h *handlers) Fileread(r *sftp.Request) (_ io.ReaderAt, err error) {
	op := h.begin("get", r.Filepath)
	defer op.end(&err)
	n, err := fileName(r.Filepath)
	if err != nil {
		return nil, err
	}
	if !h.o.Permissions.Read {
		return nil, denied("this account may not read files")
	}
	f, err := h.o.Library.Open(h.ctx, n)
	if err != nil {
		return nil, err
	}
	g := &getting{op: op, file: f}
	h.opened.get = g
	return g, nil
}

// Filewrite implements [sftp.FileWriter]: OPEN for writing.
func (h *handlers) Filewrite(r *sftp.Request) (io.WriterAt, error) { return h.create(r) }

// OpenFile implements [sftp.OpenFileWriter]: OPEN for both.
func (h *handlers) OpenFile(r *sftp.Request) (sftp.WriterAtReaderAt, error) { return h.create(r) }

func (h *handlers) create(r *sftp.Request) (_ *putting, err error) {
	op := h.begin("put", r.Filepath)
	defer op.end(&err)
	n, err := fileName(r.Filepath)
	if err != nil {
		return nil, err
	}
	flags := r.Pflags()
	if err := h.mayCreate(n, flags); err != nil {
		return nil, err
	}
	up, err := h.o.Library.Create(h.ctx, n, h.createOptions(flags))
	if err != nil {
		return nil, err
	}
	p, err := newPutting(op, n, up, flags)
	if err != nil {
		up.Abort()
		return nil, err
	}
	h.pending[n], h.opened.put = p, p
	return p, nil
}

// mayCreate is the policy of OPEN for writing.
func (h *handlers) mayCreate(n string, f sftp.FileOpenFlags) error {
	_, err := h.o.Library.Stat(h.ctx, n)
	p := h.o.Permissions
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if !p.Write {
			return denied("this account may not upload files")
		}
		return nil
	case err != nil:
		return err
	case f.Creat && f.Excl:
		return nil // the library refuses it
	case !p.Overwrite:
		return denied("a file of that name exists, and this account may not replace files")
	case f.Read && !f.Trunc && !p.Read:
		return denied("this account may not read files")
	}
	return nil
}

func (h *handlers) createOptions(f sftp.FileOpenFlags) CreateOptions {
	return CreateOptions{
		Create:    f.Creat,
		Truncate:  f.Trunc,
		Exclusive: f.Creat && f.Excl,
		NoReplace: !h.o.Permissions.Overwrite,
		Mode:      h.openAttr.Mode,
		Owner:     h.o.Account,
		MaxSize:   h.o.MaxFileSize,
	}
}
