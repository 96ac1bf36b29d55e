package vfs

import (
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/pkg/sftp"
)

// list answers OPENDIR.
func (h *handlers) list(r *sftp.Request) (_ sftp.ListerAt, err error) {
	op := h.begin("list", r.Filepath)
	defer op.end(&err)
	n, err := name(r.Filepath)
	switch {
	case err != nil:
		return nil, err
	case n != "":
		return nil, &Error{Kind: fs.ErrNotExist, Why: "no such folder; the library has none"}
	}
	files, err := h.files()
	if err != nil {
		return nil, err
	}
	next, stop := iter.Pull2(files)
	l := &listing{op: op, next: next, stop: stop}
	h.opened.list = l
	return l, nil
}

// files is the policy of listing.
func (h *handlers) files() (iter.Seq2[fs.FileInfo, error], error) {
	if !h.o.Permissions.List {
		return nil, denied("this account may not list files")
	}
	return h.o.Library.List(h.ctx), nil
}

// listing is an open folder, read a batch at a time.
type listing struct {
	op   *operation
	next func() (fs.FileInfo, error, bool)
	stop func()
}

// ListAt implements [sftp.ListerAt]; batches are asked for in order.
func (l *listing) ListAt(to []os.FileInfo, _ int64) (n int, err error) {
	defer func() { l.op.recovered(recover(), &err) }()
	for n < len(to) {
		i, err, ok := l.next()
		if !ok {
			return n, io.EOF
		}
		if err != nil {
			return n, err
		}
		to[n] = i
		n++
	}
	return n, nil
}

// Close implements io.Closer.
func (l *listing) Close() error {
	l.stop()
	l.op.report(nil)
	return nil
}
