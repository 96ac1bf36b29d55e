package sftp

import (
	"encoding/binary"
	"io"
	"math"

	"shelf/sshd/budget"
	"shelf/vfs"
	"shelf/vfs/access"
)

// unsupported answers what does not exist here, naming the path where there is
// one.
func (s *Session) unsupported(f *frame, r *reply) {
	var path, target []byte
	var err error
	op, name := f.kind.String(), ""
	switch f.kind {
	case fxpMkdir, fxpRmdir, fxpSymlink, fxpReadlink:
		path, target, err = cutString(f.body)
		name = string(path)
		if f.kind == fxpMkdir && err == nil && s.access.IsFolder(name) {
			// That it exists is no news to a person, so nothing goes to stderr.
			r.status(f.id, statusOf(s.access.MakeFolder(name)))
			return
		}
	}
	err = unsupported(f.kind)
	switch {
	case f.kind == fxpRmdir:
		err = s.access.RemoveFolder(name)
	case f.kind == fxpMkdir && name != "":
		err = s.access.MakeFolder(name)
	}
	switch f.kind {
	case fxpMkdir, fxpRmdir, fxpReadlink:
		s.access.Unserved(op, name, "", err)
	case fxpSymlink:
		target, _, _ = cutString(target)
		s.access.Unserved(op, name, string(target), err)
	default:
		s.access.Unserved(opRequest, "/"+op, "", err)
	}
	r.status(f.id, s.h.reasons.status(op, name, err))
}

// opRequest is the operation in events of requests that have no name here.
const opRequest = "request"

// status answers f, on the handle h if there is one, with what err means.
func (s *Session) status(r *reply, f *frame, h *handle, err error) {
	name := ""
	if err != nil {
		name = h.name()
	}
	r.status(f.id, s.h.reasons.status(f.kind.String(), name, err))
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
		return nil, nil, &vfs.Error{Kind: vfs.ErrBadHandle, Why: "that handle is not open"}
	case len(rest) < least:
		return h, nil, &vfs.Error{Kind: vfs.ErrBadMessage, Why: "the packet is too short"}
	}
	return h, rest, nil
}

// maxData is the most bytes a READ or WRITE carries: OpenSSH's packet limit
// less 1 KiB for everything around the data.
const maxData = maxPacket - 1024

// read answers READ: handle, uint64 offset, uint32 length.
//
// The data is read before its length is announced: a file may become shorter on
// disk at any time, and of a DATA that was announced nothing may be missing.
func (s *Session) read(f *frame, r *reply) {
	h, rest, err := s.handleOf(f.body, 12)
	if err != nil {
		s.status(r, f, h, err)
		return
	}
	off := binary.BigEndian.Uint64(rest)
	n := int(min(binary.BigEndian.Uint32(rest[8:]), maxData))
	if h.get != nil && off <= math.MaxInt64 && n > smallRead {
		// At the end Within is 0; reading one byte then answers EOF.
		n = max(1, h.get.Within(int64(off), n))
	}
	if n > smallRead {
		// A client that does not read its replies would have one in each session.
		if s.o.Share.Take(budget.Memory, largeBuffer) != nil {
			n = smallRead
		} else {
			r.taken = largeBuffer
		}
	}
	data := r.data(f.id, n)
	n, err = h.readAt(data, off)
	if err != nil && (err != io.EOF || n == 0) {
		s.status(r, f, h, err)
		return
	}
	r.trim(n)
}

// smallRead is how long a READ is, in bytes, for which it is worth it to take no
// larger buffer than there is data.
const smallRead = 32 << 10

// write answers WRITE: handle, uint64 offset, string data. An error ends the
// session: the packet broke off.
func (s *Session) write(f *frame, r *reply) error {
	h, rest, err := s.handleOf(f.body, 12)
	var p *access.Writer
	if err == nil {
		p, err = h.upload()
	}
	if err == nil && uint64(binary.BigEndian.Uint32(rest[8:])) > uint64(len(rest)-12+f.rest) {
		err = &vfs.Error{Kind: vfs.ErrBadMessage, Why: "the data runs past the end of its packet"}
	}
	if err != nil {
		s.status(r, f, h, err)
		return nil
	}
	err, cut := writeData(p, f, rest[12:], int64(binary.BigEndian.Uint64(rest)), int(binary.BigEndian.Uint32(rest[8:])))
	s.status(r, f, h, err)
	return cut
}

// writeData writes n bytes at off, of which data are the first that have been
// read, piece by piece; the pieces end where a reader's blocks do.
func writeData(p *access.Writer, f *frame, data []byte, off int64, n int) (err, cut error) {
	for {
		piece := min(n, writePiece-int(uint64(off)%writePiece))
		if data, cut = f.more(data, piece); cut != nil {
			return nil, cut
		}
		if _, err := p.WriteAt(data[:piece], off); err != nil {
			return err, nil
		}
		if n -= piece; n == 0 {
			return nil, nil
		}
		off += int64(piece)
		if data = data[piece:]; len(data) == 0 {
			data = f.b[:0]
		}
	}
}

// fstat answers FSTAT: handle.
func (s *Session) fstat(f *frame, r *reply) {
	h, _, err := s.handleOf(f.body, 0)
	var i vfs.Info
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
	var a vfs.Attr
	if err == nil {
		a, err = parseAttr(rest)
	}
	var p *access.Writer
	if err == nil {
		p, err = h.upload()
	}
	if err == nil {
		err = p.SetAttr(a)
	}
	s.status(r, f, h, err)
}

// fsync answers fsync@openssh.com: handle.
func (s *Session) fsync(f *frame, r *reply, body []byte) {
	h, _, err := s.handleOf(body, 0)
	var p *access.Writer
	if err == nil {
		p, err = h.upload()
	}
	if err == nil && !s.access.Properties().Fsync {
		err = &vfs.Error{Kind: vfs.ErrUnsupported, Why: "there is nothing to sync here before CLOSE"}
	}
	if err == nil {
		err = p.Sync()
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
	case extExpandPath:
		return s.expandPath(f, r, rest)
	case extCopyData:
		s.status(r, f, nil, s.copyData(rest))
	case extCheckFile, extCheckFileName:
		s.checkFile(f, r, string(name), rest)
	default:
		err := unsupported(f.kind)
		s.access.Unserved(opRequest, string(name), "", err)
		s.status(r, f, nil, err)
	}
	return nil
}
