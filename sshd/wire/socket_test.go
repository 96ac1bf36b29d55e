package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// recorder is a connection that remembers what was written to it.
type recorder struct {
	net.Conn
	bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) { return r.Buffer.Write(p) }
func (r *recorder) Read(p []byte) (int, error)  { return r.Buffer.Read(p) }

// sshPacket is an SSH packet whose payload begins with kind, and its tag.
func sshPacket(kind byte, payload, tag int) []byte {
	p := binary.BigEndian.AppendUint32(nil, uint32(1+payload))
	p = append(p, 4, kind)
	return append(p, make([]byte, payload-1+tag)...)
}

// The pieces of a packet are written with one system call, as soon as the last one
// comes. The bytes are the same, whatever the pieces are.
func TestSocketWritesWholePackets(t *testing.T) {
	r := &recorder{}
	s := newSocket(r, new(Buffers))
	s.framed = true
	random := rand.New(rand.NewPCG(1, 2))
	sizes := []int{100, 5, 4096, 32 << 10, 1, 8 << 10, 34000, 200}
	var want []byte
	for i := range 400 {
		kind, tag := byte(i%200+30), gcmTag
		switch {
		case i < 3:
			tag = 0 // keys are not in use yet
		case i == 3:
			kind, tag = msgNewKeys, 0 // the last packet in clear
		}
		p := sshPacket(kind, sizes[i%len(sizes)], tag)
		before := len(want)
		want = append(want, p...)
		for len(p) > 0 {
			n := min(len(p), 6+random.IntN(5000))
			if _, err := s.Write(p[:n]); err != nil {
				t.Fatal(err)
			}
			if p = p[n:]; len(p) > 0 && r.Len() > before {
				t.Fatalf("a piece of packet %d was out before the last", i)
			}
		}
		if !bytes.Equal(r.Bytes(), want) {
			t.Fatalf("packet %d: %d bytes are out, want %d", i, r.Len(), len(want))
		}
	}
	if s.head != nil || !s.framed {
		t.Errorf("at the end it holds a buffer (%v), or has given up (%v)", s.head != nil, !s.framed)
	}
}

// Data that can't be packets is written as it comes, and nothing is lost.
func TestSocketGivesUpOnWhatItDoesNotUnderstand(t *testing.T) {
	r := &recorder{}
	s := newSocket(r, new(Buffers))
	s.framed = true
	var want []byte
	for _, p := range [][]byte{sshPacket(50, 3000, 0)[:1000], make([]byte, 5000), {1}, []byte("SSH"), sshPacket(50, 3000, 0)[:10]} {
		want = append(want, p...)
		if _, err := s.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(r.Bytes(), want) {
		t.Errorf("%d bytes are out, want %d", r.Len(), len(want))
	}
}

// A packet that never ends is not kept in memory without bounds.
func TestSocketHoldsNoMoreThanABuffer(t *testing.T) {
	r := &recorder{}
	s := newSocket(r, new(Buffers))
	s.framed = true
	head := []byte{0x7f, 0xff, 0xff, 0xff, 4, 50}
	s.Write(head)
	for range 100 {
		s.Write(make([]byte, 4096))
	}
	if held := len(head) + 100*4096 - r.Len(); held > readSize {
		t.Errorf("%d bytes are held", held)
	}
}

// connected returns a socket and its peer.
func connected(t *testing.T) (*socket, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s := newSocket(nc, new(Buffers))
	t.Cleanup(func() { s.Close(); peer.Close() })
	return s, peer.(*net.TCPConn)
}

// If the kernel's buffer is full, a write waits. Nothing is lost of a packet that is
// written in parts.
func TestSocketWaitsForRoom(t *testing.T) {
	s, peer := connected(t)
	s.framed = true
	source := rand.NewChaCha8([32]byte{5, 6})
	random := rand.New(source)
	var want []byte
	for range 500 { // 10 MB: more than the kernel's buffers
		p := sshPacket(50, 1+random.IntN(40_000), 0)
		source.Read(p[6:])
		want = append(want, p...)
	}
	go func() {
		defer s.Close()
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 4+int(binary.BigEndian.Uint32(rest)))
			for _, piece := range [][]byte{rest[:min(n, 4096)], rest[min(n, 4096):n]} {
				if len(piece) > 0 {
					if _, err := s.Write(piece); err != nil {
						t.Error(err)
						return
					}
				}
			}
			rest = rest[n:]
		}
	}()
	if got, err := io.ReadAll(peer); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came, want %d: %v", len(got), len(want), err)
	}
}

// A write fails if the peer is gone or does not read before the deadline.
func TestSocketWriteFails(t *testing.T) {
	s, peer := connected(t)
	peer.SetLinger(0)
	peer.Close()
	s.SetDeadline(time.Now().Add(time.Minute))
	var err error
	for err == nil {
		_, err = s.Write(make([]byte, 32<<10))
	}
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a peer that is gone: %v", err)
	}
	s, _ = connected(t)
	s.SetDeadline(time.Now().Add(10 * time.Millisecond))
	for err = nil; err == nil; {
		_, err = s.Write(make([]byte, 32<<10))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a peer that does not read: %v", err)
	}
}

// Reads of any size return what was sent. A socket that waits holds no buffer.
func TestSocketReads(t *testing.T) {
	s, peer := connected(t)
	random := rand.New(rand.NewPCG(3, 4))
	want := make([]byte, 1<<20)
	for i := range want {
		want[i] = byte(random.Uint32())
	}
	go func() {
		peer.Write(want)
		peer.CloseWrite()
	}()
	var got []byte
	for piece := make([]byte, 40<<10); ; {
		n, err := s.Read(piece[:1+random.IntN(len(piece))])
		got = append(got, piece[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("what was read is not what was sent")
	}
	if s.buffer != nil {
		t.Error("it holds a buffer at the end")
	}
}
