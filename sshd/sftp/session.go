// Package sftp serves one sftp channel: it turns the packets of SFTP version 3
// into calls of package access, and its answers into replies.
//
//	session.go     takes the channel's packets in order
//	packets.go readdir.go handle.go  those on an open handle, answered at once
//	extended.go    extensions, and which are announced
//	names.go       those by name, through pkg/sftp's RequestServer
//	handlers.go    its handlers, which ask package access
//	fileinfo.go    a file as that library describes it
//	frame.go reply.go buffer.go  the bytes
//	status.go      errors to SSH_FX codes
//	reasons.go     why, on stderr
package sftp

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"

	"shelf/sshd/budget"
	"shelf/vfs"
	"shelf/vfs/access"
)

// Options is what a [Session] is made from.
type Options struct {
	Access       *access.Session // who it is for; the session ends it
	MaxOpenFiles int             // handles open at once; 0 is DefaultMaxOpenFiles
	Buffers      *Buffers        // shared by the sessions of a server; nil is the session's own
	Log          *slog.Logger    // nil discards

	Share *budget.Share // of the account, for what is open; nil is no limit
}

// DefaultMaxOpenFiles is how many handles a session may hold.
const DefaultMaxOpenFiles = 256

// complete fills in what was left out.
func (o Options) complete() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Buffers == nil {
		o.Buffers = new(Buffers)
	}
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = DefaultMaxOpenFiles
	}
	return o
}

// Session serves one sftp channel: SFTP version 3, draft-ietf-secsh-filexfer-02.
//
// It takes packets strictly in order, one at a time. Those that name a file, or
// open or close a handle, go to a pkg/sftp RequestServer, whose handlers ask
// package access; its reply is awaited before the next packet is taken. Those
// on an open handle (READ, WRITE, FSTAT, FSETSTAT, READDIR) are answered here
// from what the handler opened: in order, on the handle and not on its name,
// from pooled buffers, so that an idle session holds none. Since one thing
// happens at a time there are no locks.
type Session struct {
	o       Options
	access  *access.Session
	h       *handlers
	names   *nameServer
	ctx     context.Context // ends when the client has gone
	channel io.ReadWriter
	open    map[string]*handle // by the handle strings of the RequestServer
	begun   bool               // INIT was seen
	head    [headerLen]byte    // of the packet that is waited for
}

// NewSession makes a session; Serve runs it once.
func NewSession(o Options) *Session {
	return &Session{o: o.complete(), access: o.Access, open: make(map[string]*handle)}
}

// Serve answers the channel's packets in order until the client ends (nil), the
// channel fails, or a packet makes no sense. Whoever wants it to end early
// closes the channel, and ctx ends then. Reasons of
// refusals are also written to stderr, a line each. It does not close the
// channel. Uploads still open end as cut before it returns.
func (s *Session) Serve(ctx context.Context, channel io.ReadWriter, stderr io.Writer) error {
	s.channel = channel
	s.ctx = ctx
	s.h = &handlers{access: s.access, reasons: &reasons{w: stderr}}
	s.names = &nameServer{h: s.h, pool: s.o.Buffers}
	defer s.end()
	for {
		if err := s.serveOne(); err != nil {
			if err == io.EOF { // between packets
				return nil
			}
			return err
		}
	}
}

// end aborts what is open. The client is gone: there is nobody to tell why, and
// a write to it might wait for ever.
func (s *Session) end() {
	s.h.reasons.w = nil
	s.names.stop()
	s.access.End()
	s.o.Share.Give(budget.OpenFiles, int64(len(s.open)))
}

// serveOne takes a packet and answers it.
func (s *Session) serveOne() error {
	f, err := readFrame(s.channel, s.head[:], s.o.Buffers)
	if err != nil {
		return err
	}
	defer f.release()
	if err := s.access.Stopped(); err != nil {
		return err
	}
	if f.kind != fxpInit && !s.begun {
		return &vfs.Error{Kind: vfs.ErrBadMessage, Why: "the first packet is not SSH_FXP_INIT"}
	}
	r := reply{pool: s.o.Buffers}
	defer func() {
		r.release()
		if r.taken > 0 {
			s.o.Share.Give(budget.Memory, r.taken)
		}
	}()
	if f.kind == fxpClose {
		defer s.access.Answer()()
	}
	if err := s.answer(&f, &r); err != nil {
		return err
	}
	if err := f.skip(); err != nil {
		return err
	}
	_, err = s.channel.Write(r.b)
	return err
}

// answer puts the reply to f into r. An error ends the session. A panic fails
// this request only: what it left half done is an upload that will not commit.
func (s *Session) answer(f *frame, r *reply) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.status(r, f, nil, s.access.Panicked(p))
			err = nil
		}
	}()
	switch f.kind {
	case fxpInit:
		s.begun = true
		r.version(s.extensions())
	case fxpRead:
		s.read(f, r)
	case fxpWrite:
		return s.write(f, r)
	case fxpFstat:
		s.fstat(f, r)
	case fxpFsetstat:
		s.fsetstat(f, r)
	case fxpExtended:
		return s.extended(f, r)
	case fxpOpen, fxpOpendir:
		return s.opening(f, r)
	case fxpClose:
		return s.closing(f, r)
	case fxpReaddir:
		s.readdir(f, r)
	case fxpStat, fxpLstat, fxpSetstat, fxpRename, fxpRemove, fxpRealpath:
		return s.names.ask(f, r)
	default:
		s.unsupported(f, r)
	}
	return nil
}

// opening passes on an OPEN or OPENDIR and remembers what its handle stands for.
func (s *Session) opening(f *frame, r *reply) error {
	if len(s.open) >= s.o.MaxOpenFiles {
		s.tooMany(f, r, fmt.Sprintf("too many open files: this session may have %d (max_open_files)", s.o.MaxOpenFiles))
		return nil
	}
	if err := s.o.Share.Take(budget.OpenFiles, 1); err != nil {
		s.tooMany(f, r, err.Error())
		return nil
	}
	opened := false
	defer func() {
		if !opened {
			s.o.Share.Give(budget.OpenFiles, 1)
		}
	}()
	if f.kind == fxpOpen {
		attr, err := openAttr(f.body)
		if err != nil {
			return err
		}
		s.h.openAttr = attr
	}
	s.h.opened = handle{}
	if err := s.names.ask(f, r); err != nil {
		return err
	}
	if id, ok := r.handle(); ok {
		opened = true
		h := s.h.opened
		s.open[id] = &h
	}
	return nil
}

// tooMany refuses an OPEN or OPENDIR that would be one too many.
func (s *Session) tooMany(f *frame, r *reply, why string) {
	err := &vfs.Error{Kind: vfs.ErrTooMany, Why: why}
	path, rest, _ := cutString(f.body)
	op := "get"
	switch {
	case f.kind == fxpOpendir:
		op = "list"
	case len(rest) >= 4 && binary.BigEndian.Uint32(rest)&openWrite != 0:
		op = "put"
	}
	s.access.Unserved(op, string(path), "", err)
	s.status(r, f, nil, err)
}

// openWrite is SSH_FXF_WRITE in the flags of an OPEN (draft section 6.3).
const openWrite = 0x2

// closing passes on a CLOSE, which commits an upload.
func (s *Session) closing(f *frame, r *reply) error {
	id, _, err := cutString(f.body)
	if err != nil {
		return err
	}
	if err := s.names.ask(f, r); err != nil {
		return err
	}
	if _, open := s.open[string(id)]; open {
		delete(s.open, string(id))
		s.o.Share.Give(budget.OpenFiles, 1)
		s.names.closed()
	}
	return nil
}
