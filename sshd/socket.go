package sshd

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"syscall"
)

const (
	// readSize is how much is taken from a socket at a time, in bytes: what a
	// client that uploads has sent meanwhile, which is several packets.
	readSize = 128 << 10

	// gcmTag is what follows an AES-GCM packet, in bytes (RFC 5647 section 6.3).
	gcmTag = 16

	msgNewKeys = 21 // RFC 4253 section 7.3
)

// readBuffers are shared by all connections of a server: one that waits for its
// client holds none.
type readBuffers struct{ sync.Pool } // of *[readSize]byte

func (p *readBuffers) get() *[readSize]byte {
	if b, ok := p.Get().(*[readSize]byte); ok {
		return b
	}
	return new([readSize]byte)
}

// socket makes few and large system calls of the many small ones that x/crypto
// asks for: it reads and writes through buffers of 4 KiB, so that a packet of
// 32 KiB would take two of either. It delays nothing: a read takes what is
// there, and a write is held back only while the rest of its packet is on its
// way out of the same call.
type socket struct {
	net.Conn
	raw  syscall.RawConn // nil if it is not one of the kernel's own
	pool *readBuffers

	buffer *[readSize]byte // nil if nothing is in it
	unread []byte          // the part of it that nobody has read yet
	n      int             // what take has read
	failed error

	framed  bool            // what is written is clear or AES-GCM: each packet's length can be seen
	tag     int             // bytes that follow a packet: none until keys are in use
	missing int             // bytes that the last packet's head announced and that were not written yet
	head    *[readSize]byte // that packet's first pieces, or nil
	held    int             // how much of head they take
}

func newSocket(nc net.Conn, pool *readBuffers) *socket {
	s := &socket{Conn: nc, pool: pool}
	if c, ok := nc.(*net.TCPConn); ok {
		s.raw, _ = c.SyscallConn()
	}
	return s
}

// Read implements [net.Conn].
func (s *socket) Read(p []byte) (int, error) {
	if s.raw == nil {
		return s.Conn.Read(p)
	}
	if len(s.unread) == 0 {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.unread)
	if s.unread = s.unread[n:]; len(s.unread) == 0 {
		s.drop()
	}
	return n, nil
}

// fill waits until there is something to read and takes it.
func (s *socket) fill() error {
	err := s.raw.Read(s.take)
	switch {
	case err != nil:
		return err
	case s.failed != nil:
		return &net.OpError{Op: "read", Net: "tcp", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: s.failed}
	case s.n == 0:
		return io.EOF
	}
	s.unread = s.buffer[:s.n]
	return nil
}

// take reads what is there. While there is nothing, which it says by false, it
// holds no buffer.
func (s *socket) take(fd uintptr) bool {
	s.buffer = s.pool.get()
	for {
		s.n, s.failed = syscall.Read(int(fd), s.buffer[:])
		if s.failed != syscall.EINTR {
			break
		}
	}
	if s.n <= 0 {
		s.drop()
	}
	return s.failed != syscall.EAGAIN
}

func (s *socket) drop() {
	s.pool.Put(s.buffer)
	s.buffer, s.unread = nil, nil
}

// Write implements [net.Conn].
func (s *socket) Write(p []byte) (int, error) {
	if s.framed && s.follow(p) && s.missing > 0 && s.hold(p) {
		return len(p), nil
	}
	if s.head == nil {
		return s.Conn.Write(p)
	}
	whole := net.Buffers{s.head[:s.held], p}
	_, err := whole.WriteTo(s.Conn)
	s.pool.Put(s.head)
	s.head, s.held = nil, 0
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// hold keeps a piece for the next, if it has room.
func (s *socket) hold(p []byte) bool {
	if s.head == nil {
		s.head = s.pool.get()
	}
	if len(p) > len(s.head)-s.held {
		return false
	}
	s.held += copy(s.head[s.held:], p)
	return true
}

// follow keeps count of what is missing of the packet that p is a piece of; the
// first piece has its length (RFC 4253 section 6; in clear with AES-GCM, too,
// RFC 5647 section 7.3). It is false for what it does not understand, which it
// does not look at again.
func (s *socket) follow(p []byte) bool {
	if s.missing > 0 {
		s.missing -= len(p)
	} else if len(p) >= 6 {
		s.missing = 4 + int(binary.BigEndian.Uint32(p)) + s.tag - len(p)
		if s.tag == 0 && p[5] == msgNewKeys {
			s.tag = gcmTag
		}
	} else {
		s.missing = -1
	}
	s.framed = s.missing >= 0
	return s.framed
}
