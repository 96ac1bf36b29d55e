package sftp

import (
	"io"
	"os"
	"strings"

	"github.com/pkg/sftp"

	"shelf/vfs"
	"shelf/vfs/access"
)

// handlers feed an [access.Session] with what the RequestServer has understood.
// They run one at a time, while the session waits.
type handlers struct {
	access  *access.Session
	reasons *reasons

	// pkg/sftp drops the attributes of an OPEN, and does not tell what handle it
	// gives to what was opened. So the session stores the attributes here
	// before it passes an OPEN on, and reads here afterwards what was opened.
	openAttr vfs.Attr
	opened   handle
}

// refuse is what pkg/sftp sends for an error.
func (h *handlers) refuse(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return h.reasons.status(op, strings.TrimPrefix(path, "/"), err)
}

// Fileread implements [sftp.FileReader]: OPEN for reading.
func (h *handlers) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	f, err := h.access.Open(r.Filepath)
	if err != nil {
		return nil, h.refuse("get", r.Filepath, err)
	}
	h.opened.get = f
	return getting{f}, nil
}

// getting is a file open for reading, as the RequestServer closes it.
type getting struct{ *access.Reader }

// Close is called by CLOSE and at the end of the session.
func (g getting) Close() error { return g.Reader.Close(nil) }

// Filewrite implements [sftp.FileWriter]: OPEN for writing.
func (h *handlers) Filewrite(r *sftp.Request) (io.WriterAt, error) { return h.create(r) }

// OpenFile implements [sftp.OpenFileWriter]: OPEN for both.
func (h *handlers) OpenFile(r *sftp.Request) (sftp.WriterAtReaderAt, error) { return h.create(r) }

func (h *handlers) create(r *sftp.Request) (*putting, error) {
	f := r.Pflags()
	w, err := h.access.Create(r.Filepath, access.Flags{
		Read: f.Read, Append: f.Append, Create: f.Creat, Truncate: f.Trunc, Exclusive: f.Excl, Mode: h.openAttr.Mode,
	})
	if err != nil {
		return nil, h.refuse("put", r.Filepath, err)
	}
	h.opened.put = w
	return &putting{Writer: w, h: h}, nil
}

// putting is an upload, as the RequestServer closes it.
type putting struct {
	*access.Writer
	h   *handlers
	cut bool // the session ended first
}

// TransferError is called before Close when the session ended without CLOSE.
func (p *putting) TransferError(error) { p.cut = true }

// Close is called by CLOSE, which publishes, and at the end of the session.
func (p *putting) Close() error {
	end := p.Commit
	if p.cut {
		end = p.Cut
	}
	return p.h.refuse("put", p.Name(), end())
}

// Filecmd implements [sftp.FileCmder].
func (h *handlers) Filecmd(r *sftp.Request) error {
	switch r.Method {
	case "Setstat":
		a, err := parseAttrFields(r.Flags, r.Attrs)
		if err == nil {
			err = h.access.SetAttr(r.Filepath, a)
		}
		return h.refuse("setstat", r.Filepath, err)
	case "Rename":
		return h.refuse("rename", r.Filepath, h.access.Rename(r.Filepath, r.Target, false))
	case "Remove":
		return h.refuse("remove", r.Filepath, h.access.Remove(r.Filepath))
	}
	return h.refuse(r.Method, "", unsupported(fxpExtended))
}

// PosixRename implements [sftp.PosixRenameFileCmder]: RENAME that replaces.
func (h *handlers) PosixRename(r *sftp.Request) error {
	return h.refuse("rename", r.Filepath, h.access.Rename(r.Filepath, r.Target, true))
}

// Filelist implements [sftp.FileLister]: OPENDIR and STAT.
func (h *handlers) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method != "List" {
		return h.Lstat(r)
	}
	l, err := h.access.List(r.Filepath)
	if err != nil {
		return nil, h.refuse("list", r.Filepath, err)
	}
	h.opened.list = l
	return listing{l}, nil
}

// listing is an open folder, as the RequestServer closes it.
type listing struct{ *access.Listing }

// ListAt implements [sftp.ListerAt]; READDIR never comes to the RequestServer.
func (listing) ListAt([]os.FileInfo, int64) (int, error) { return 0, io.EOF }

// Lstat implements [sftp.LstatFileLister]; there are no links, so it is STAT.
func (h *handlers) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	i, err := h.access.Stat(r.Filepath)
	if err != nil {
		return nil, h.refuse("stat", r.Filepath, err)
	}
	return one{i}, nil
}

// one is a list of one.
type one struct{ vfs.Info }

// ListAt implements [sftp.ListerAt].
func (o one) ListAt(to []os.FileInfo, _ int64) (int, error) {
	return copy(to, []os.FileInfo{fileInfo(o)}), io.EOF
}

// StatVFS implements [sftp.StatVFSFileCmder].
func (h *handlers) StatVFS(r *sftp.Request) (*sftp.StatVFS, error) {
	s, err := h.access.Space(r.Filepath)
	if err != nil {
		return nil, h.refuse("statvfs", "", err)
	}
	return &sftp.StatVFS{
		Bsize: s.BlockSize, Frsize: s.BlockSize, Blocks: s.Blocks, Bfree: s.Free, Bavail: s.Available,
		Files: s.Files, Ffree: s.FreeFiles, Favail: s.FreeFiles, Namemax: vfs.MaxName,
	}, nil
}
