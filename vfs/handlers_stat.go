package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/pkg/sftp"
)

// Filelist implements [sftp.FileLister]: OPENDIR and STAT.
func (h *handlers) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method == "List" {
		return h.list(r)
	}
	return h.Lstat(r)
}

// Lstat implements [sftp.LstatFileLister]; there are no links, so it is STAT.
func (h *handlers) Lstat(r *sftp.Request) (_ sftp.ListerAt, err error) {
	op := h.begin("stat", r.Filepath)
	defer op.end(&err)
	n, err := name(r.Filepath)
	if err != nil {
		return nil, err
	}
	i, err := h.stat(n)
	if err != nil {
		return nil, err
	}
	return one{i}, nil
}

func (h *handlers) stat(n string) (fs.FileInfo, error) {
	if n == "" {
		return root(), nil
	}
	if p, ok := h.pending[n]; ok {
		return p.up.Stat()
	}
	i, err := h.o.Library.Stat(h.ctx, n)
	if errors.Is(err, fs.ErrNotExist) {
		return h.partial(n)
	}
	if err != nil {
		return nil, err
	}
	if p := h.o.Permissions; !p.List && !p.Read && !h.isOwn(n, i) {
		return nil, notExist() // as if it were not there
	}
	return i, nil
}

// partial describes what this account can resume; that is how clients learn
// where to go on.
func (h *handlers) partial(n string) (fs.FileInfo, error) {
	lib, ok := h.o.Library.(Resume)
	if !ok || !h.o.Permissions.Write {
		return nil, notExist()
	}
	return lib.Partial(h.ctx, h.o.Account, n)
}

// root describes the library itself.
func root() fs.FileInfo { return info{name: "/", mode: fs.ModeDir | 0o755, mtime: time.Unix(0, 0)} }

// one is a list of one.
type one struct{ fs.FileInfo }

// ListAt implements [sftp.ListerAt].
func (o one) ListAt(to []os.FileInfo, _ int64) (int, error) {
	return copy(to, []os.FileInfo{o.FileInfo}), io.EOF
}

// StatVFS implements [sftp.StatVFSFileCmder].
func (h *handlers) StatVFS(*sftp.Request) (_ *sftp.StatVFS, err error) {
	op := h.begin("statvfs", "")
	defer op.end(&err)
	lib, ok := h.o.Library.(Space)
	if !ok {
		return nil, &Error{Kind: ErrUnsupported, Why: "this library does not know its space"}
	}
	s, err := lib.Space(h.ctx)
	if err != nil {
		return nil, err
	}
	return &sftp.StatVFS{
		Bsize: s.BlockSize, Frsize: s.BlockSize, Blocks: s.Blocks, Bfree: s.Free, Bavail: s.Available,
		Files: s.Files, Ffree: s.FreeFiles, Favail: s.FreeFiles, Namemax: MaxName,
	}, nil
}
