package wire

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"syscall"
)

const (
	// readSize is how much is read from a socket at a time, in bytes. A client that
	// uploads has sent several packets since the last read.
	readSize = 128 << 10

	// gcmTag is the length of the tag after an AES-GCM packet, in bytes (RFC 5647
	// section 6.3).
	gcmTag = 16

	msgNewKeys = 21 // RFC 4253 section 7.3
)

// Buffers is a pool for all connections of a server. A connection that waits
// for its client holds no buffer.
type Buffers struct{ sync.Pool } // of *[readSize]byte

func (p *Buffers) get() *[readSize]byte {
	if b, ok := p.Get().(*[readSize]byte); ok {
		return b
	}
	return new([readSize]byte)
}

// socket saves system calls. x/crypto reads and writes through buffers of 4 KiB,
// so that a packet of 32 KiB needs two calls. socket reads whatever has arrived
// into a large buffer, and writes each packet at once.
//
// It delays nothing. A piece of a packet is held back only while x/crypto is still
// writing the rest of the same packet.
type socket struct {
	net.Conn
	raw  syscall.RawConn // nil if the connection is not a TCP socket
	pool *Buffers

	buffer *[readSize]byte // nil while there is nothing to read
	unread []byte          // the part of buffer that was not returned yet
	n      int             // how much take has read
	failed error           // of take

	framed  bool            // packets are in clear or AES-GCM, so that their length can be read
	tag     int             // the length of the tag after a packet: 0 until keys are in use
	missing int             // how many bytes of the current packet were not written yet
	head    *[readSize]byte // the first pieces of the current packet, or nil
	held    int             // the length of these pieces
}

func newSocket(nc net.Conn, pool *Buffers) *socket {
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

// fill waits until something has arrived and reads it.
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

// take reads what has arrived. If nothing has, it gives the buffer back and
// returns false, which means to wait and call it again.
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

// drop gives the buffer back to the pool.
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

// hold keeps a piece of a packet until the next one, if there is room.
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

// follow counts how many bytes of the current packet are missing after the piece
// p. The first piece of a packet has the packet's length (RFC 4253 section 6),
// which AES-GCM does not encrypt (RFC 5647 section 7.3). If the pieces make no
// sense, it returns false and sets framed to false for good.
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
