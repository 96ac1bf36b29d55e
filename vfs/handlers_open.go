package vfs

import (
	"crypto"
	"errors"
	"io"
	"io/fs"

	"github.com/pkg/sftp"
)

// Fileread implements [sftp.FileReader]: OPEN for reading.
func (h *handlers) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	g, err := h.get(r.Filepath)
	if err != nil {
		return nil, err
	}
	h.opened.get = g
	return g, nil
}

func (h *handlers) get(path string) (_ *getting, err error) {
	op := h.begin("get", path)
	defer op.end(&err)
	f, err := h.open(path)
	if err != nil {
		return nil, err
	}
	return &getting{op: op, file: f}, nil
}

// open is the policy of reading.
func (h *handlers) open(path string) (File, error) {
	n, err := fileName(path)
	if err != nil {
		return nil, err
	}
	if !h.o.Permissions.Read {
		return nil, denied("this account may not read files")
	}
	if f, ok, err := h.openPending(n); ok {
		return f, err
	}
	return h.o.Library.Open(h.ctx, n)
}

// digest reads a file for the client, who gets no more of it than a digest.
func (h *handlers) digest(path string, a crypto.Hash) (sum []byte, err error) {
	op := h.begin("digest", path)
	defer op.done(&err)
	f, err := h.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return digestOf(h.ctx, f, a)
}

// Filewrite implements [sftp.FileWriter]: OPEN for writing.
func (h *handlers) Filewrite(r *sftp.Request) (io.WriterAt, error) { return h.create(r) }

// OpenFile implements [sftp.OpenFileWriter]: OPEN for both.
func (h *handlers) OpenFile(r *sftp.Request) (sftp.WriterAtReaderAt, error) { return h.create(r) }

func (h *handlers) create(r *sftp.Request) (*putting, error) {
	p, err := h.put(r.Filepath, r.Pflags(), h.openAttr.Mode)
	if err != nil {
		return nil, err
	}
	h.opened.put = p
	return p, nil
}

func (h *handlers) put(path string, flags sftp.FileOpenFlags, mode fs.FileMode) (_ *putting, err error) {
	op := h.begin("put", path)
	defer op.end(&err)
	n, err := fileName(path)
	if err != nil {
		return nil, err
	}
	if err := h.mayCreate(n, flags); err != nil {
		return nil, err
	}
	o := h.createOptions(flags, mode)
	if err := h.base(n, &o); err != nil {
		return nil, err
	}
	up, err := h.o.Library.Create(h.ctx, n, o)
	if err != nil {
		return nil, err
	}
	p, err := newPutting(op, n, up, flags)
	if err != nil {
		up.Abort()
		return nil, err
	}
	h.addPending(p)
	return p, nil
}

// mayCreate is the policy of OPEN for writing.
func (h *handlers) mayCreate(n string, f sftp.FileOpenFlags) error {
	_, err := h.o.Library.Stat(h.ctx, n)
	p := h.o.Permissions
	switch {
	case h.pending[n] != nil && f.Read && !f.Trunc && !p.Read:
		return denied("this account may not read files")
	case errors.Is(err, fs.ErrNotExist):
		if !p.Write {
			return denied("this account may not upload files")
		}
		return nil
	case err != nil:
		return err
	case f.Creat && f.Excl:
		return nil // the library refuses it
	case !p.Overwrite && !p.Write:
		return denied("this account may not upload files")
	case !p.Overwrite:
		return denied("a file of that name exists, and this account may not replace files")
	case f.Read && !f.Trunc && !p.Read:
		return denied("this account may not read files")
	}
	return nil
}

func (h *handlers) createOptions(f sftp.FileOpenFlags, mode fs.FileMode) CreateOptions {
	return CreateOptions{
		Create:    f.Creat,
		Truncate:  f.Trunc,
		Exclusive: f.Creat && f.Excl,
		NoReplace: !h.o.Permissions.Overwrite,
		Mode:      mode,
		Owner:     h.o.Account,
		MaxSize:   h.o.MaxFileSize,
	}
}
