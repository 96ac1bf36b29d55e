package vfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/pkg/sftp"
)

// handlers are the four handlers of the RequestServer and hold all policy: what
// exists, who may do what. They run one at a time, while the session waits.
type handlers struct {
	ctx      context.Context
	o        *SessionOptions
	reasons  *reasons
	openAttr Attr                // of the OPEN being served; pkg/sftp drops it
	opened   handle              // what the OPEN being served opened
	pending  map[string]*putting // this session's uploads, by name
	uploaded map[string]any      // what this session published: name to FileInfo.Sys
}

func newHandlers(ctx context.Context, o *SessionOptions, r *reasons) *handlers {
	return &handlers{ctx: ctx, o: o, reasons: r, pending: make(map[string]*putting), uploaded: make(map[string]any)}
}

// name turns a path, which pkg/sftp has made absolute and clean, into a name of
// the library. The root is "".
func name(path string) (string, error) {
	n := strings.TrimPrefix(path, "/")
	if strings.Contains(n, "/") {
		return n, notExist()
	}
	return n, nil
}

// fileName is name for what must be a file.
func fileName(path string) (string, error) {
	n, err := name(path)
	if err == nil && n == "" {
		err = denied("that is the library itself")
	}
	return n, err
}

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
	case f.Read && !p.Read:
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

// Filecmd implements [sftp.FileCmder].
func (h *handlers) Filecmd(r *sftp.Request) error {
	switch r.Method {
	case "Setstat":
		return h.setstat(r)
	case "Rename":
		return h.rename(r, false)
	case "Remove":
		return h.remove(r)
	}
	return h.refuse(r.Method, "", unsupported(fxpExtended))
}

// PosixRename implements [sftp.PosixRenameFileCmder]: RENAME that replaces.
func (h *handlers) PosixRename(r *sftp.Request) error { return h.rename(r, true) }

func (h *handlers) rename(r *sftp.Request, replace bool) (err error) {
	op := h.begin("rename", r.Filepath)
	op.event.Target = strings.TrimPrefix(r.Target, "/")
	defer op.finish(&err)
	old, err := fileName(r.Filepath)
	if err != nil {
		return err
	}
	new, err := fileName(r.Target)
	if err != nil {
		return err
	}
	if !h.o.Permissions.Rename {
		return denied("this account may not rename files")
	}
	if err := h.closed(old); err != nil {
		return err
	}
	if replace && !h.o.Permissions.Overwrite {
		replace = false
	}
	return h.o.Library.Rename(h.ctx, old, new, replace)
}

// closed refuses to rename or remove a name under which this session has an
// upload open and nothing is published yet.
func (h *handlers) closed(n string) error {
	if _, ok := h.pending[n]; !ok {
		return nil
	}
	_, err := h.o.Library.Stat(h.ctx, n)
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{Kind: ErrBadHandle, Why: "its upload is still open; close it first"}
	}
	return err
}

func (h *handlers) remove(r *sftp.Request) (err error) {
	op := h.begin("remove", r.Filepath)
	defer op.finish(&err)
	n, err := fileName(r.Filepath)
	if err != nil {
		return err
	}
	if !h.o.Permissions.Delete {
		return denied("this account may not delete files")
	}
	if err := h.closed(n); err != nil {
		return err
	}
	return h.o.Library.Remove(h.ctx, n)
}

// setstat changes the upload if this session has one open under the name.
func (h *handlers) setstat(r *sftp.Request) (err error) {
	op := h.begin("setstat", r.Filepath)
	defer op.finish(&err)
	n, err := fileName(r.Filepath)
	if err != nil {
		return err
	}
	a, err := parseAttrFields(r.Flags, r.Attrs)
	if err != nil {
		return err
	}
	if p, ok := h.pending[n]; ok {
		return p.setAttr(a)
	}
	if err := checkAttr(a); err != nil {
		return err
	}
	if err := h.maySetstat(n); err != nil {
		return err
	}
	return h.o.Library.SetAttr(h.ctx, n, a)
}

// maySetstat: what an account uploaded in this session is its to finish.
func (h *handlers) maySetstat(n string) error {
	i, err := h.o.Library.Stat(h.ctx, n)
	if err != nil {
		return err
	}
	if !h.o.Permissions.Overwrite && !h.isOwn(n, i) {
		return denied("this account may not change files")
	}
	return nil
}

// isOwn tells whether a file is the one this session published.
func (h *handlers) isOwn(n string, i fs.FileInfo) bool {
	id, ok := h.uploaded[n]
	return ok && id == i.Sys()
}

// own remembers a version that this session published. Only an account that
// cannot see or change files needs it.
func (h *handlers) own(n string, i fs.FileInfo) {
	const most = 10000 // names; a session that uploads more forgets them
	p := h.o.Permissions
	if p.Overwrite && (p.List || p.Read) {
		return
	}
	if len(h.uploaded) >= most {
		clear(h.uploaded)
	}
	h.uploaded[n] = i.Sys()
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

// LookupUserName implements [sftp.NameLookupFileLister]: the owner that a long
// listing shows. Who owns the files on the host is not the clients' business.
func (h *handlers) LookupUserName(string) string { return "shelf" }

// LookupGroupName implements [sftp.NameLookupFileLister].
func (h *handlers) LookupGroupName(string) string { return "shelf" }

// status is what the client reads of err, which is also put on stderr with its
// reason and, if it is the server's fault, in the log.
func (h *handlers) status(op, name string, err error) (code uint32, msg string) {
	code, msg = statusOf(err)
	if code == fxOK || code == fxEOF {
		return code, msg
	}
	if e := (*Error)(nil); !errors.As(err, &e) || e.Err != nil {
		h.o.Log.Error("operation failed", "operation", op, "name", name, "error", err)
	}
	if code != fxNoSuchFile {
		h.reasons.say(op, name, msg)
	}
	return code, msg
}

// refuse is status for what goes through pkg/sftp.
func (h *handlers) refuse(op, name string, err error) error {
	if err == nil {
		return nil
	}
	code, msg := h.status(op, name, err)
	return statusError{code, msg}
}

func (h *handlers) logPanic(p any) {
	h.o.Log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// errPanic is what a client reads when a request panicked.
func errPanic() error {
	return &Error{Kind: ErrIO, Why: "the server failed; the request was not done"}
}
