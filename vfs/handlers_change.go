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
