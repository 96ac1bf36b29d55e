package sftp

import (
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"time"

	"shelf/vfs"
)

// kind is the type of an SFTP packet (draft-ietf-secsh-filexfer-02 section 3).
type kind byte

const (
	fxpInit     kind = 1
	fxpVersion  kind = 2
	fxpOpen     kind = 3
	fxpClose    kind = 4
	fxpRead     kind = 5
	fxpWrite    kind = 6
	fxpLstat    kind = 7
	fxpFstat    kind = 8
	fxpSetstat  kind = 9
	fxpFsetstat kind = 10
	fxpOpendir  kind = 11
	fxpReaddir  kind = 12
	fxpRemove   kind = 13
	fxpMkdir    kind = 14
	fxpRmdir    kind = 15
	fxpRealpath kind = 16
	fxpStat     kind = 17
	fxpRename   kind = 18
	fxpReadlink kind = 19
	fxpSymlink  kind = 20
	fxpStatus   kind = 101
	fxpHandle   kind = 102
	fxpData     kind = 103
	fxpName     kind = 104
	fxpAttrs    kind = 105
	fxpExtended kind = 200
	fxpExtReply kind = 201
)

// String is the draft's word for a request, in lower case.
func (k kind) String() string {
	switch k {
	case fxpInit:
		return "init"
	case fxpOpen:
		return "open"
	case fxpClose:
		return "close"
	case fxpRead:
		return "read"
	case fxpWrite:
		return "write"
	case fxpLstat:
		return "lstat"
	case fxpFstat:
		return "fstat"
	case fxpSetstat:
		return "setstat"
	case fxpFsetstat:
		return "fsetstat"
	case fxpOpendir:
		return "opendir"
	case fxpReaddir:
		return "readdir"
	case fxpRemove:
		return "remove"
	case fxpMkdir:
		return "mkdir"
	case fxpRmdir:
		return "rmdir"
	case fxpRealpath:
		return "realpath"
	case fxpStat:
		return "stat"
	case fxpRename:
		return "rename"
	case fxpReadlink:
		return "readlink"
	case fxpSymlink:
		return "symlink"
	case fxpExtended:
		return "extended"
	}
	return fmt.Sprintf("packet type %d", byte(k))
}

// The extensions that work here, as VERSION announces them (OpenSSH's
// PROTOCOL, section 4).
const (
	extPosixRename = "posix-rename@openssh.com"
	extStatVFS     = "statvfs@openssh.com"
	extFsync       = "fsync@openssh.com"
	extLimits      = "limits@openssh.com"
)

// maxPacket is the longest packet taken, in bytes after the length: OpenSSH's.
const maxPacket = 256 << 10

// headerLen is what every request has: uint32 length, byte type, uint32 id (in
// INIT the version stands where the id does).
const headerLen = 9

// frame is one request.
type frame struct {
	buffer
	kind kind
	id   uint32
	body []byte    // what follows the id; of a WRITE only its beginning
	from io.Reader // where the rest of a WRITE comes from
	rest int       // how much that is, in bytes
}

// writeHead is how much of a WRITE is read at once, in bytes: more than all of
// it but the data. That is taken in pieces, so that it is written while it is
// still in the processor's cache, and while the next piece is on its way.
const (
	writeHead  = 64
	writePiece = 32 << 10
)

// readFrame reads one request into a pooled buffer, which it takes when there is
// something to put into it; what it waits with is head, of headerLen bytes. The
// error is io.EOF only between packets.
func readFrame(r io.Reader, head []byte, pool *Buffers) (frame, error) {
	if _, err := io.ReadFull(r, head); err != nil {
		return frame{}, err
	}
	length := binary.BigEndian.Uint32(head)
	if length < headerLen-4 || length > maxPacket {
		return frame{}, &vfs.Error{Kind: vfs.ErrBadMessage, Why: fmt.Sprintf("a packet of %d bytes; the limits are 5 and %d", length, maxPacket)}
	}
	f := frame{kind: kind(head[4]), id: binary.BigEndian.Uint32(head[5:]), from: r, rest: int(length) - (headerLen - 4)}
	n := f.rest
	if f.kind != fxpWrite && headerLen+n > pieceBuffer {
		return frame{}, &vfs.Error{Kind: vfs.ErrBadMessage, Why: fmt.Sprintf("a request of %d bytes; only WRITE may be longer than %d", length, pieceBuffer)}
	}
	if f.kind == fxpWrite && n > writeHead {
		n = writeHead
		f.buffer = pool.get(pieceBuffer)
	} else {
		f.buffer = pool.get(headerLen + n)
	}
	copy(f.b, head)
	var err error
	if f.body, err = f.more(f.b[headerLen:headerLen], n); err != nil {
		f.release()
		return frame{}, err
	}
	return f, nil
}

// more reads on until b, which is a part of the frame's buffer that has room
// behind it, is n bytes long or the packet ends.
func (f *frame) more(b []byte, n int) ([]byte, error) {
	missing := min(n-len(b), f.rest)
	if missing <= 0 {
		return b, nil
	}
	whole := b[:len(b)+missing]
	if _, err := io.ReadFull(f.from, whole[len(b):]); err != nil {
		return nil, fmt.Errorf("in the middle of a packet: %w", err)
	}
	f.rest -= missing
	return whole, nil
}

// skip reads what nobody wanted of the packet.
func (f *frame) skip() error {
	for f.rest > 0 {
		if _, err := f.more(f.b[:0], len(f.b)); err != nil {
			return err
		}
	}
	return nil
}

// cutString cuts an SSH string (RFC 4251 section 5) off the front of b.
func cutString(b []byte) (s, rest []byte, err error) {
	if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, nil, &vfs.Error{Kind: vfs.ErrBadMessage, Why: "a string runs past the end of its packet"}
	}
	n := 4 + int(binary.BigEndian.Uint32(b))
	return b[4:n], b[n:], nil
}

// The flags of ATTRS (draft section 5) that say which fields are there.
const (
	attrSize  = 1 << 0
	attrOwner = 1 << 1
	attrMode  = 1 << 2
	attrTimes = 1 << 3
)

// openAttr reads the attributes of an OPEN: string path, uint32 pflags, ATTRS.
func openAttr(body []byte) (vfs.Attr, error) {
	_, rest, err := cutString(body)
	if err != nil {
		return vfs.Attr{}, err
	}
	if len(rest) < 8 {
		return vfs.Attr{}, &vfs.Error{Kind: vfs.ErrBadMessage, Why: "OPEN is too short"}
	}
	return parseAttr(rest[4:])
}

// parseAttr reads an ATTRS, its flags first.
func parseAttr(b []byte) (vfs.Attr, error) {
	if len(b) < 4 {
		return vfs.Attr{}, &vfs.Error{Kind: vfs.ErrBadMessage, Why: "ATTRS is too short"}
	}
	return parseAttrFields(binary.BigEndian.Uint32(b), b[4:])
}

// parseAttrFields reads the fields that flags announce. Extended attributes,
// which come last, are ignored.
func parseAttrFields(flags uint32, b []byte) (a vfs.Attr, err error) {
	if len(b) < attrLen(flags) {
		return vfs.Attr{}, &vfs.Error{Kind: vfs.ErrBadMessage, Why: "ATTRS is too short"}
	}
	if flags&attrSize != 0 {
		a.HasSize, a.Size = true, int64(binary.BigEndian.Uint64(b))
		b = b[8:]
	}
	if flags&attrOwner != 0 {
		a.HasOwner = true
		b = b[8:]
	}
	if flags&attrMode != 0 {
		a.HasMode, a.Mode = true, fs.FileMode(binary.BigEndian.Uint32(b)&0o777)
		b = b[4:]
	}
	if flags&attrTimes != 0 {
		a.HasTimes = true
		a.Atime = time.Unix(int64(binary.BigEndian.Uint32(b)), 0)
		a.Mtime = time.Unix(int64(binary.BigEndian.Uint32(b[4:])), 0)
	}
	return a, nil
}

// attrLen is the length of the fields that flags announce, in bytes.
func attrLen(flags uint32) (n int) {
	if flags&attrSize != 0 {
		n += 8
	}
	if flags&attrOwner != 0 {
		n += 8
	}
	if flags&attrMode != 0 {
		n += 4
	}
	if flags&attrTimes != 0 {
		n += 8
	}
	return n
}
