package sshd

import (
	"encoding/binary"
	"net"
	"syscall"
)

// Write implements [net.Conn].
func (s *socket) Write(p []byte) (int, error) {
	if s.framed && s.follow(p) && s.missing > 0 && s.hold(p) {
		return len(p), nil
	}
	if err := s.flush(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush writes what was held back, and p.
func (s *socket) flush(p []byte) (err error) {
	s.out = [2][]byte{nil, p}
	if s.head != nil {
		s.out[0] = s.head[:s.held]
		defer func() {
			s.pool.Put(s.head)
			s.head, s.held = nil, 0
		}()
	}
	if s.raw == nil {
		whole := net.Buffers(s.out[:])
		_, err = whole.WriteTo(s.Conn)
	} else if err = s.raw.Write(s.give); err == nil {
		err = s.unsent
	}
	s.out = [2][]byte{}
	return err
}

// give writes what there is room for. While there is none for all of it, it
// says so by false.
func (s *socket) give(fd uintptr) bool {
	for len(s.out[0])+len(s.out[1]) > 0 {
		n, err := writeNow(fd, s.out)
		switch err {
		case nil:
			first := min(n, len(s.out[0]))
			s.out = [2][]byte{s.out[0][first:], s.out[1][n-first:]}
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			s.unsent = &net.OpError{Op: "write", Net: "tcp", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
			return true
		}
	}
	return true
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
