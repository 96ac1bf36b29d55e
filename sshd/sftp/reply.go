package sftp

import (
	"encoding/binary"
	"io/fs"
	"math"
	"time"

	"shelf/vfs"
)

// reply is one answer, built in a pooled buffer and sent with one Write. The buffer
// is taken when the size is known.
type reply struct {
	buffer
	pool  *Buffers
	taken int64 // bytes of the account's memory
}

// start makes room for a packet of n bytes after the id and writes its head.
func (r *reply) start(k kind, id uint32, n int) []byte {
	r.release()
	r.buffer = r.pool.get(headerLen + n)
	binary.BigEndian.PutUint32(r.b, uint32(headerLen-4+n))
	r.b[4] = byte(k)
	binary.BigEndian.PutUint32(r.b[5:], id)
	return r.b[headerLen:]
}

// status is SSH_FXP_STATUS: uint32 code, string message, string language.
func (r *reply) status(id uint32, s status) {
	b := r.start(fxpStatus, id, 4+4+len(s.text)+4)
	binary.BigEndian.PutUint32(b, s.code)
	binary.BigEndian.PutUint32(b[4:], uint32(len(s.text)))
	copy(b[8:], s.text)
	binary.BigEndian.PutUint32(b[8+len(s.text):], 0)
}

// data starts an SSH_FXP_DATA of up to n bytes and returns where they go; trim
// must follow.
func (r *reply) data(id uint32, n int) []byte {
	return r.start(fxpData, id, 4+n)[4:]
}

// trim ends an SSH_FXP_DATA that carries n bytes.
func (r *reply) trim(n int) {
	r.b = r.b[:headerLen+4+n]
	binary.BigEndian.PutUint32(r.b, uint32(headerLen+n))
	binary.BigEndian.PutUint32(r.b[headerLen:], uint32(n))
}

// attrs is SSH_FXP_ATTRS with size, permissions and times.
func (r *reply) attrs(id uint32, i vfs.Info) {
	appendAttrs(r.start(fxpAttrs, id, attrsLen)[:0], i)
}

// attrsLen is the length of the ATTRS that we send.
const attrsLen = 4 + 8 + 4 + 4 + 4

// wireTime is a time as SFTP has it: seconds from 1970 to 2106. What is earlier or
// later is told as the first or the last of them.
func wireTime(t time.Time) uint32 { return uint32(max(0, min(t.Unix(), math.MaxUint32))) }

// appendAttrs is ATTRS with size, permissions and times.
func appendAttrs(b []byte, i vfs.Info) []byte {
	mtime := wireTime(i.ModTime)
	b = binary.BigEndian.AppendUint32(b, attrSize|attrMode|attrTimes)
	b = binary.BigEndian.AppendUint64(b, uint64(i.Size))
	b = binary.BigEndian.AppendUint32(b, wireMode(i.Mode))
	b = binary.BigEndian.AppendUint32(b, mtime)
	return binary.BigEndian.AppendUint32(b, mtime)
}

// wireMode is a mode as POSIX has it: a directory or a regular file.
func wireMode(m fs.FileMode) uint32 {
	const dir, regular = 0o040000, 0o100000
	if m.IsDir() {
		return dir | uint32(m.Perm())
	}
	return regular | uint32(m.Perm())
}

// version is SSH_FXP_VERSION 3 with these extensions, each a name and a version.
func (r *reply) version(extensions [][2]string) {
	var b []byte
	for _, ext := range extensions {
		b = appendString(appendString(b, ext[0]), ext[1])
	}
	copy(r.start(fxpVersion, 3, len(b)), b)
}

// limits answers limits@openssh.com: the longest packet, READ and WRITE, and
// the number of handles.
func (r *reply) limits(id uint32, handles int) {
	b := r.start(fxpExtReply, id, 4*8)
	for i, v := range []uint64{maxPacket, maxData, maxData, uint64(handles)} {
		binary.BigEndian.PutUint64(b[8*i:], v)
	}
}

// digest answers check-file. Drafts differ: paramiko reads the name of the
// extension first, as the older has it, and WinSCP, by name, does not.
func (r *reply) digest(id uint32, ext, algorithm string, sum []byte) {
	var b []byte
	if ext == extCheckFile {
		b = appendString(b, ext)
	}
	b = append(appendString(b, algorithm), sum...)
	copy(r.start(fxpExtReply, id, len(b)), b)
}

// handle is the handle string of an SSH_FXP_HANDLE; ok is false for others.
func (r *reply) handle() (id string, ok bool) {
	if len(r.b) < headerLen || kind(r.b[4]) != fxpHandle {
		return "", false
	}
	s, _, err := cutString(r.b[headerLen:])
	return string(s), err == nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
