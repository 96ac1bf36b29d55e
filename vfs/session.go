package vfs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"
)

// Permissions is what an account may do in its library.
type Permissions struct {
	List      bool // LIST, and STAT of any file
	Read      bool // OPEN for reading, and STAT of any file
	Write     bool // OPEN for writing a name that does not exist
	Overwrite bool // replace, change or set attributes of a file that exists
	Rename    bool // RENAME; over a file it takes Overwrite as well
	Delete    bool // REMOVE
}

// DefaultPermissions is what an account may do when nothing else is said.
func DefaultPermissions() Permissions {
	return Permissions{List: true, Read: true, Write: true, Overwrite: true, Rename: true}
}

// An Event is one thing a session did or refused, reported when it has ended.
type Event struct {
	Op       string        // "list", "get", "put", "rename", "remove" or "setstat"
	Name     string        // as the client sent it, unescaped; "" for list
	Target   string        // the new name of a rename
	Bytes    int64         // read or written by the client
	Start    time.Time     // when it began
	Duration time.Duration // until it ended
	Err      error         // nil if it was done
}

// DefaultMaxOpenFiles is how many handles a session may hold.
const DefaultMaxOpenFiles = 256

// SessionOptions is what a session is built from.
type SessionOptions struct {
	Library      Library
	Account      string // who it is: the owner of partials
	Permissions  Permissions
	MaxOpenFiles int         // handles open at once; 0 is DefaultMaxOpenFiles
	MaxFileSize  int64       // bytes; 0 is no cap
	Report       func(Event) // called as each event ends, one at a time; nil is nobody
	Buffers      *Buffers    // shared by the sessions of a server; nil is the session's own
	Log          *slog.Logger
}

// Session serves one sftp channel: SFTP version 3, draft-ietf-secsh-filexfer-02.
//
// It takes packets strictly in order, one at a time. Those that name a file, or
// open or close a handle, go to a pkg/sftp RequestServer, whose handlers hold
// all policy; its reply is awaited before the next packet is taken. Those on an
// open handle (READ, WRITE, FSTAT, FSETSTAT) are answered here from the File or
// Upload that the handler opened: in order, on the handle and not on its name,
// from pooled buffers, so that an idle session holds none. Since one thing
// happens at a time there are no locks.
type Session struct {
	o       SessionOptions
	h       *handlers
	names   *nameServer
	channel io.ReadWriter
	open    map[string]*handle // by the handle strings of the RequestServer
	count   atomic.Int32       // len(open), for other goroutines
	begun   bool               // INIT was seen
}

// NewSession makes a session; Serve runs it once.
func NewSession(o SessionOptions) *Session {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	if o.Buffers == nil {
		o.Buffers = new(Buffers)
	}
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = DefaultMaxOpenFiles
	}
	return &Session{o: o, open: make(map[string]*handle)}
}

// OpenHandles is the number of files, uploads and listings open now. It may be
// called from any goroutine: a server that is to stop waits for zero.
func (s *Session) OpenHandles() int { return int(s.count.Load()) }

// Serve answers the channel's packets in order until the client ends (nil), the
// channel fails, or a packet makes no sense. Whoever wants it to end early
// closes the channel; ctx is what the Library is called with. Reasons of
// refusals are also written to stderr, a line each. It does not close the
// channel. Uploads still open are aborted before it returns.
func (s *Session) Serve(ctx context.Context, channel io.ReadWriter, stderr io.Writer) error {
	s.channel = channel
	s.h = newHandlers(ctx, &s.o, &reasons{w: stderr})
	s.names = startNameServer(s.h, s.o.Buffers)
	defer s.end()
	for {
		if err := s.serveOne(); err != nil {
			if errors.Is(err, io.EOF) {
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
	s.count.Store(0)
}

// serveOne takes a packet and answers it.
func (s *Session) serveOne() error {
	f, err := readFrame(s.channel, s.o.Buffers)
	if err != nil {
		return err
	}
	defer f.release()
	if f.kind != fxpInit && !s.begun {
		return &Error{Kind: ErrBadMessage, Why: "the first packet is not SSH_FXP_INIT"}
	}
	r := reply{pool: s.o.Buffers}
	defer r.release()
	if err := s.answer(&f, &r); err != nil {
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
			s.h.logPanic(p)
			s.status(r, f, nil, errPanic())
		}
	}()
	switch f.kind {
	case fxpInit:
		s.begun = true
		r.version()
	case fxpRead:
		s.read(f, r)
	case fxpWrite:
		s.write(f, r)
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
	case fxpReaddir, fxpStat, fxpLstat, fxpSetstat, fxpRename, fxpRemove, fxpRealpath:
		return s.names.ask(f, r)
	default:
		s.unsupported(f, r)
	}
	return nil
}

// unsupported answers what does not exist here, naming the path where there is
// one.
func (s *Session) unsupported(f *frame, r *reply) {
	name := ""
	switch f.kind {
	case fxpMkdir, fxpRmdir, fxpSymlink, fxpReadlink:
		path, _, _ := cutString(f.body)
		name = string(path)
	}
	code, msg := s.h.status(f.kind.String(), name, unsupported(f.kind))
	r.status(f.id, code, msg)
}

// status answers f, on the handle h if there is one, with what err means.
func (s *Session) status(r *reply, f *frame, h *handle, err error) {
	if err == nil {
		r.status(f.id, fxOK, "OK")
		return
	}
	code, msg := s.h.status(f.kind.String(), h.name(), err)
	r.status(f.id, code, msg)
}

// opening passes on an OPEN or OPENDIR and remembers what its handle stands for.
func (s *Session) opening(f *frame, r *reply) error {
	if len(s.open) >= s.o.MaxOpenFiles {
		s.status(r, f, nil, &Error{Kind: ErrTooMany, Why: fmt.Sprintf("too many open files: this session may have %d", s.o.MaxOpenFiles)})
		return nil
	}
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
		opened := s.h.opened
		s.open[id] = &opened
		s.count.Store(int32(len(s.open)))
	}
	return nil
}

// closing passes on a CLOSE, which commits an upload.
func (s *Session) closing(f *frame, r *reply) error {
	id, _, err := cutString(f.body)
	if err != nil {
		return err
	}
	err = s.names.ask(f, r)
	delete(s.open, string(id))
	s.count.Store(int32(len(s.open)))
	return err
}

// handleOf reads the handle that a packet starts with; at least least bytes
// must follow it.
func (s *Session) handleOf(body []byte, least int) (h *handle, rest []byte, err error) {
	id, rest, err := cutString(body)
	if err != nil {
		return nil, nil, err
	}
	h, ok := s.open[string(id)]
	switch {
	case !ok:
		return nil, nil, &Error{Kind: ErrBadHandle, Why: "that handle is not open"}
	case len(rest) < least:
		return h, nil, &Error{Kind: ErrBadMessage, Why: "the packet is too short"}
	}
	return h, rest, nil
}

// maxData is the most bytes a READ or WRITE carries: OpenSSH's packet limit
// less 1 KiB for everything around the data.
const maxData = maxPacket - 1024

// read answers READ: handle, uint64 offset, uint32 length.
func (s *Session) read(f *frame, r *reply) {
	h, rest, err := s.handleOf(f.body, 12)
	if err != nil {
		s.status(r, f, h, err)
		return
	}
	off := int64(binary.BigEndian.Uint64(rest))
	data := r.data(f.id, int(min(binary.BigEndian.Uint32(rest[8:]), maxData)))
	n, err := h.readAt(data, off)
	if err != nil && (err != io.EOF || n == 0) {
		s.status(r, f, h, err)
		return
	}
	r.trim(n)
}

// write answers WRITE: handle, uint64 offset, string data.
func (s *Session) write(f *frame, r *reply) {
	h, rest, err := s.handleOf(f.body, 8)
	var data []byte
	if err == nil {
		data, _, err = cutString(rest[8:])
	}
	var p *putting
	if err == nil {
		p, err = h.upload()
	}
	if err == nil {
		_, err = p.WriteAt(data, int64(binary.BigEndian.Uint64(rest)))
	}
	s.status(r, f, h, err)
}

// fstat answers FSTAT: handle.
func (s *Session) fstat(f *frame, r *reply) {
	h, _, err := s.handleOf(f.body, 0)
	var i fs.FileInfo
	if err == nil {
		i, err = h.stat()
	}
	if err != nil {
		s.status(r, f, h, err)
		return
	}
	r.attrs(f.id, i)
}

// fsetstat answers FSETSTAT: handle, ATTRS.
func (s *Session) fsetstat(f *frame, r *reply) {
	h, rest, err := s.handleOf(f.body, 0)
	var a Attr
	if err == nil {
		a, err = parseAttr(rest)
	}
	var p *putting
	if err == nil {
		p, err = h.upload()
	}
	if err == nil {
		err = p.setAttr(a)
	}
	s.status(r, f, h, err)
}

// fsync answers fsync@openssh.com: handle.
func (s *Session) fsync(f *frame, r *reply, body []byte) {
	h, _, err := s.handleOf(body, 0)
	var p *putting
	if err == nil {
		p, err = h.upload()
	}
	if err == nil {
		err = p.up.Sync()
	}
	s.status(r, f, h, err)
}

// extended answers SSH_FXP_EXTENDED (PROTOCOL of OpenSSH, sections 4.3 to 4.10).
// An unknown one is unsupported, as the draft says.
func (s *Session) extended(f *frame, r *reply) error {
	name, rest, err := cutString(f.body)
	if err != nil {
		return err
	}
	switch string(name) {
	case extPosixRename, extStatVFS:
		return s.names.ask(f, r)
	case extLimits:
		r.limits(f.id, s.o.MaxOpenFiles)
	case extFsync:
		s.fsync(f, r, rest)
	default:
		s.status(r, f, nil, unsupported(f.kind))
	}
	return nil
}
