package vfs

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/pkg/sftp"
)

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
	new, err := newName(r.Target)
	if err == nil {
		err = h.move(old, new, replace)
	}
	return aboutNew(op.event.Target, err)
}

// newName is fileName for one that shall be: why it cannot is said, where it
// would else be no such file.
func newName(path string) (string, error) {
	n, err := fileName(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = CheckName(n)
	}
	return n, err
}

// aboutNew has an error name the new name where that is at fault: the old one is
// named anyway, as what the request is about. A name is bad or taken; the old one
// would not exist.
func aboutNew(new string, err error) error {
	e := (*Error)(nil)
	if !errors.As(err, &e) || e.Kind != fs.ErrExist && e.Kind != ErrName {
		return err
	}
	return &Error{Kind: e.Kind, Why: Printable(new) + ": " + e.Reason(), Err: e.Err}
}

// move is the policy of RENAME.
func (h *handlers) move(old, new string, replace bool) error {
	if !h.mayRename(old) {
		return denied("this account may not rename files")
	}
	replace = (h.replaces(old, new) || replace) && h.o.Permissions.Overwrite
	p, ok := h.pending[old]
	switch {
	case ok && old == new:
		return nil
	case old != new && h.pending[new] != nil && !replace:
		return &Error{Kind: fs.ErrExist, Why: "a file of that name exists"}
	case ok:
		return h.renamePending(p, new, replace)
	}
	if err := h.o.Library.Rename(h.ctx, old, new, replace); err != nil {
		return err
	}
	h.pending[new].drop()
	delete(h.pending, new)
	h.renameOwn(old, new)
	return nil
}

// mayRename: what an account uploaded in this session is its to name, too.
// Clients upload under a name such as x.filepart and rename that to x.
func (h *handlers) mayRename(n string) bool {
	if h.o.Permissions.Rename {
		return true
	}
	i, err := h.o.Library.Stat(h.ctx, n)
	if err != nil {
		return h.pending[n] != nil
	}
	return h.isOwn(n, i)
}

// renameOwn keeps what was this session's own its own.
func (h *handlers) renameOwn(old, new string) {
	id, ok := h.uploaded[old]
	delete(h.uploaded, old)
	if ok && h.remembers(new) {
		h.uploaded[new] = id
	}
}

func (h *handlers) remove(r *sftp.Request) (err error) {
	op := h.begin("remove", r.Filepath)
	defer op.finish(&err)
	n, err := fileName(r.Filepath)
	if err != nil {
		return err
	}
	if h.announcesReplace(n) {
		op.quiet = true // RENAME will tell
		return nil
	}
	p, pending := h.pending[n]
	if !pending {
		if ok, err := h.removePartial(n); ok {
			return err
		}
	}
	if !h.o.Permissions.Delete {
		return denied("this account may not delete files")
	}
	if pending {
		return h.removePending(p)
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

// own remembers a version that this session published.
func (h *handlers) own(n string, i fs.FileInfo) {
	const most = 10000 // names; a session that uploads more forgets them
	if !h.remembers(n) {
		return
	}
	if len(h.uploaded) >= most {
		clear(h.uploaded)
	}
	h.uploaded[n] = i.Sys()
}

// remembers tells whether it matters that a name is this session's own: to an
// account that cannot see, change, rename or, of some names, delete files.
func (h *handlers) remembers(n string) bool {
	p := h.o.Permissions
	return !p.Overwrite || !p.Rename || !p.List && !p.Read || !p.Delete && isPart(n)
}
