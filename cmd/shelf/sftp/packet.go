package sftp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// The types of the packets of SFTP version 3 that this client sends and gets
// (draft-ietf-secsh-filexfer-02 section 3).
const (
	fxpInit          = 1
	fxpVersion       = 2
	fxpOpen          = 3
	fxpClose         = 4
	fxpRead          = 5
	fxpWrite         = 6
	fxpFstat         = 8
	fxpFsetstat      = 10
	fxpOpendir       = 11
	fxpReaddir       = 12
	fxpRemove        = 13
	fxpRealpath      = 16
	fxpStat          = 17
	fxpRename        = 18
	fxpStatus        = 101
	fxpHandle        = 102
	fxpData          = 103
	fxpName          = 104
	fxpAttrs         = 105
	fxpExtended      = 200
	fxpExtendedReply = 201
)

// The flags of OPEN (section 6.3).
const (
	openRead   = 1
	openWrite  = 2
	openCreate = 8
	openTrunc  = 16
	openExcl   = 32
)

// The fields that ATTRS may have (section 5).
const (
	attrSize     = 1
	attrOwner    = 2
	attrMode     = 4
	attrTimes    = 8
	attrExtended = 1 << 31
)

// packet is a request in the making. Its first bytes are left free for the length,
// the type and the id; seal fills them in.
type packet []byte

const packetHead = 4 + 1 + 4

func newPacket(room int) packet { return make(packet, packetHead, packetHead+room) }

func (p packet) uint32(v uint32) packet { return binary.BigEndian.AppendUint32(p, v) }
func (p packet) uint64(v uint64) packet { return binary.BigEndian.AppendUint64(p, v) }
func (p packet) string(v string) packet { return append(p.uint32(uint32(len(v))), v...) }

// size adds ATTRS with nothing but a size.
func (p packet) size(n int64) packet { return p.uint32(attrSize).uint64(uint64(n)) }

// times adds ATTRS with nothing but a time, as the time of access and of change.
func (p packet) times(t time.Time) packet {
	s := uint32(min(max(t.Unix(), 0), math.MaxUint32))
	return p.uint32(attrTimes).uint32(s).uint32(s)
}

// seal fills in the head of the packet.
func (p packet) seal(kind byte, id uint32) packet {
	binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	p[4] = kind
	binary.BigEndian.PutUint32(p[5:], id)
	return p
}

// errMalformed is a reply that breaks the rules of the protocol.
var errMalformed = errors.New("the server broke the rules of SFTP")

// reply reads the fields of a reply. If one is missing, it and all later ones are
// zero, and fault returns an error.
type reply struct {
	rest []byte
	bad  bool
}

func (r *reply) bytes(n int) []byte {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad, r.rest = true, nil
		return make([]byte, min(max(n, 0), 8))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reply) uint32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }
func (r *reply) uint64() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

func (r *reply) string() string {
	n := r.uint32()
	if r.bad || int64(n) > int64(len(r.rest)) {
		r.bad = true
		return ""
	}
	return string(r.bytes(int(n)))
}

func (r *reply) fault() error {
	if r.bad {
		return fmt.Errorf("%w: a reply is cut short", errMalformed)
	}
	return nil
}

// Attrs is what a server tells about a file.
type Attrs struct {
	Size     int64  // bytes; -1 if the server does not tell, or tells no possible size
	Mode     uint32 // 0 if the server does not tell
	Modified time.Time
}

// Regular tells whether this is a regular file, as far as the server tells.
func (a Attrs) Regular() bool { return a.Mode == 0 || a.Mode&0o170000 == 0o100000 }

// Directory tells whether this is a folder.
func (a Attrs) Directory() bool { return a.Mode&0o170000 == 0o040000 }

func (r *reply) attrs() Attrs {
	a := Attrs{Size: -1}
	flags := r.uint32()
	if flags&attrSize != 0 {
		if n := r.uint64(); n <= math.MaxInt64 {
			a.Size = int64(n)
		}
	}
	if flags&attrOwner != 0 {
		r.bytes(8)
	}
	if flags&attrMode != 0 {
		a.Mode = r.uint32()
	}
	if flags&attrTimes != 0 {
		r.uint32()
		a.Modified = time.Unix(int64(r.uint32()), 0)
	}
	if flags&attrExtended != 0 {
		for n := r.uint32(); n > 0 && !r.bad; n-- {
			r.string()
			r.string()
		}
	}
	return a
}
