package vfs

import (
	"errors"
	"io/fs"
)

// A session's own upload answers by its name before it is closed, as an open
// file does under POSIX: to STAT and SETSTAT, and to OPEN, RENAME and REMOVE as
// well. sshfs needs it: it returns from close(2) before it has sent the CLOSE,
// so that the OPEN, RENAME or REMOVE that a program asks for next may come
// first. For all other sessions there is nothing until CLOSE.

// openPending opens what this session uploads under a name; ok is whether it
// does.
func (h *handlers) openPending(n string) (f File, ok bool, err error) {
	p, ok := h.pending[n]
	if !ok {
		return nil, false, nil
	}
	f, err = p.up.Open()
	return f, true, err
}

// addPending makes p what its name stands for in this session.
func (h *handlers) addPending(p *putting) {
	p.over = h.pending[p.name]
	for q := p.over; q != nil; q = q.over {
		q.again = false
	}
	h.pending[p.name] = p
}

// base is what an upload starts from that begins while another of the same name
// is under way.
func (h *handlers) base(n string, o *CreateOptions) (err error) {
	p, ok := h.pending[n]
	switch {
	case !ok:
		return nil
	case o.Exclusive:
		return &Error{Kind: fs.ErrExist, Why: "a file of that name exists"}
	case o.Truncate:
		o.Create = true // without CREAT, too: to this session it exists
		return nil
	}
	o.Base, err = p.up.Open()
	return err
}

// renamePending renames what this session uploads: CLOSE publishes it under the
// new name. What is published under the old one goes there at once.
func (h *handlers) renamePending(p *putting, new string, replace bool) error {
	if err := p.up.SetAttr(Attr{}); err != nil {
		return err // it has failed already
	}
	err := h.o.Library.Rename(h.ctx, p.name, new, replace)
	published := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.up.Rename(new, replace || published && h.o.Permissions.Overwrite); err != nil {
		return err
	}
	p.over.drop()
	p.forget()
	h.pending[new].drop()
	p.over, p.name, p.op.event.Name = nil, new, new
	h.pending[new] = p
	return nil
}

// removePending removes what this session uploads, and what is published.
func (h *handlers) removePending(p *putting) error {
	err := h.o.Library.Remove(h.ctx, p.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.forget()
	p.drop()
	return nil
}

// drop makes that CLOSE will publish nothing of p, nor of those it was opened
// over: their name stands for something else now.
func (p *putting) drop() {
	for ; p != nil; p = p.over {
		p.dropped = true
	}
}

// supersede is drop for those that p was opened over, when p has published
// something: they are closed late. One that was changed since, or will be, is
// published after all: of those the last CLOSE wins.
func (p *putting) supersede() {
	for q := p.over; q != nil && p.wrote; q = q.over {
		q.late = !q.again
	}
}

// forget: from here on the name stands for what is published.
func (p *putting) forget() {
	if h := p.op.h; h.pending[p.name] == p {
		delete(h.pending, p.name)
	}
}

// uncover ends p: if it published nothing, its name stands again for what it was
// opened over.
func (p *putting) uncover() {
	p.ended = true
	q, h := p.under(), p.op.h
	if q != nil && !p.published && !p.dropped && !p.late && h.pending[p.name] == nil {
		h.pending[p.name] = q
	}
	p.over = nil // who was opened over p keeps it, not those before
}

// under is the nearest upload that p was opened over and that is still open.
func (p *putting) under() *putting {
	q := p.over
	for q != nil && q.ended {
		q = q.over
	}
	if q == nil || q.dropped || q.name != p.name {
		return nil
	}
	return q
}
