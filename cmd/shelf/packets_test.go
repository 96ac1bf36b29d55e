package main

import "encoding/binary"

// Packets of the hostile server are built here and not by the code under test.
const (
	fxpOpen     = 3
	fxpClose    = 4
	fxpRead     = 5
	fxpWrite    = 6
	fxpFstat    = 8
	fxpOpendir  = 11
	fxpReaddir  = 12
	fxpRemove   = 13
	fxpRealpath = 16
	fxpStat     = 17
	fxpRename   = 18
	fxpVersion  = 2
	fxpStatus   = 101
	fxpHandle   = 102
	fxpData     = 103
	fxpName     = 104
	fxpAttrs    = 105

	fxOK               = 0
	fxEOF              = 1
	fxNoSuchFile       = 2
	fxPermissionDenied = 3
	fxFailure          = 4
	fxOpUnsupported    = 8

	attrSize     = 1
	attrMode     = 4
	attrTimes    = 8
	attrExtended = 1 << 31
)

// packet is a reply; its head is filled in by seal.
type packet []byte

const packetHead = 9

func newPacket(room int) packet { return make(packet, packetHead, packetHead+room) }

func (p packet) uint32(v uint32) packet { return binary.BigEndian.AppendUint32(p, v) }
func (p packet) uint64(v uint64) packet { return binary.BigEndian.AppendUint64(p, v) }
func (p packet) string(v string) packet { return append(p.uint32(uint32(len(v))), v...) }

func (p packet) attrs(size uint64) packet {
	return p.uint32(attrSize | attrMode).uint64(size).uint32(0o100644)
}

func (p packet) seal(kind byte, id uint32) packet {
	binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	binary.BigEndian.PutUint32(p[5:], id)
	p[4] = kind
	return p
}

// fields are those of a request, one after the other.
type fields struct{ rest []byte }

func (f *fields) take(n int) []byte {
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) uint32() uint32 { return binary.BigEndian.Uint32(f.take(4)) }
func (f *fields) uint64() uint64 { return binary.BigEndian.Uint64(f.take(8)) }
func (f *fields) string() string { return string(f.take(int(f.uint32()))) }
