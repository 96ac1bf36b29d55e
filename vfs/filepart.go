package vfs

import (
	"errors"
	"io/fs"
	"strings"
)

// partSuffix is what WinSCP adds to a name while it uploads more than 100 KB.
// To put the file x in the place of an old one it then sends REMOVE of x and
// RENAME of x.filepart, even to a server that can replace in one step.
const partSuffix = ".filepart"

// announcesReplace tells whether REMOVE of n, by an account that may replace
// files but not delete them, is the first half of that. It is: the account has
// uploaded n.filepart in this session. Nothing is removed then, and RENAME
// replaces in one step: the old file is there until the new one is.
func (h *handlers) announcesReplace(n string) bool {
	part := n + partSuffix
	if p := h.o.Permissions; p.Delete || !p.Overwrite || !h.mayRename(part) {
		return false
	}
	i, err := h.o.Library.Stat(h.ctx, part)
	if err != nil || !h.isOwn(part, i) {
		return false
	}
	if _, err := h.o.Library.Stat(h.ctx, n); err != nil {
		return false
	}
	h.replacing = n
	return true
}

// replaces tells whether a RENAME is the second half.
func (h *handlers) replaces(old, new string) bool {
	announced := h.replacing != "" && h.replacing == new && old == new+partSuffix
	h.replacing = ""
	return announced
}

// removePartial removes what the account could resume, which nobody else sees;
// ok is whether there was such a thing, and no file.
func (h *handlers) removePartial(n string) (ok bool, err error) {
	if _, err := h.o.Library.Stat(h.ctx, n); !errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if _, err := h.partial(n); err != nil {
		return false, nil
	}
	up, err := h.o.Library.Create(h.ctx, n, CreateOptions{Create: true, Truncate: true, Owner: h.o.Account})
	if err != nil {
		return true, err
	}
	return true, up.Abort()
}

// isPart tells whether n is a name of WinSCP's for an upload under way.
func isPart(n string) bool { return strings.HasSuffix(n, partSuffix) }
