package sftp_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	server "shelf/sshd/sftp"
	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/local"
)

const (
	benchData = 255 << 10 // bytes that a READ or WRITE carries: OpenSSH's
	benchFile = 64 << 20  // bytes of the file that is read or written, again and again
)

// BenchmarkRead and BenchmarkWrite serve READs and WRITEs from and to a local
// library, without SSH around them. There is to be no allocation for either.
func BenchmarkRead(b *testing.B) {
	benchPackets(b, 1 /* READ */, 5, func(packet []byte) []byte { return binary.BigEndian.AppendUint32(packet, benchData) })
}

func BenchmarkWrite(b *testing.B) {
	data := make([]byte, benchData)
	benchPackets(b, 0x1a /* WRITE|CREAT|TRUNC */, 6, func(packet []byte) []byte {
		return append(binary.BigEndian.AppendUint32(packet, benchData), data...)
	})
}

// benchPackets opens a file and sends b.N packets of a type on its handle; what
// follows the offset is rest's.
func benchPackets(b *testing.B, pflags uint32, kind byte, rest func(packet []byte) []byte) {
	folder := b.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), make([]byte, benchFile), 0o600); err != nil {
		b.Fatal(err)
	}
	d, err := local.Open(folder, local.Options{Durability: local.NoFsync})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	b.SetBytes(benchData)
	b.ReportAllocs()
	f := &feed{b: b, kind: kind, rest: rest}
	f.script = [][]byte{packetOf(1, binary.BigEndian.AppendUint32(nil, 3)), packetOf(3, openBody(pflags))}
	s := server.NewSession(server.Options{Access: access.New(context.Background(), access.Options{Library: d, Permissions: vfs.DefaultPermissions()})})
	if err := s.Serve(context.Background(), f, io.Discard); err != nil {
		b.Fatal(err)
	}
}

// feed is a channel that has the next request as soon as it is wanted.
type feed struct {
	b      *testing.B
	script [][]byte // the first packets
	kind   byte
	rest   func([]byte) []byte

	packet []byte // the one on the handle, sent again with other offsets
	sent   int
	unread []byte
}

func (f *feed) Read(p []byte) (int, error) {
	if len(f.unread) == 0 && !f.next() {
		return 0, io.EOF
	}
	n := copy(p, f.unread)
	f.unread = f.unread[n:]
	return n, nil
}

func (f *feed) next() bool {
	switch {
	case len(f.script) > 0:
		f.unread, f.script = f.script[0], f.script[1:]
	case f.sent == f.b.N:
		f.b.StopTimer()
		return false
	default:
		offset := f.packet[9+4+int(binary.BigEndian.Uint32(f.packet[9:])):]
		binary.BigEndian.PutUint64(offset, uint64(f.sent)*benchData%(benchFile-benchData))
		f.unread = f.packet
		f.sent++
	}
	return true
}

// Write takes a reply; that to OPEN has the handle.
func (f *feed) Write(p []byte) (int, error) {
	const status, handle = 101, 102
	switch {
	case p[4] == handle:
		body := binary.BigEndian.AppendUint64(append([]byte{}, p[9:]...), 0)
		f.packet = packetOf(f.kind, f.rest(body))
		f.b.ResetTimer()
	case p[4] == status && binary.BigEndian.Uint32(p[9:]) != 0:
		return 0, fmt.Errorf("refused: %q", p[9:])
	}
	return len(p), nil
}

// packetOf is a packet with the id 7; that of INIT has none.
func packetOf(kind byte, body []byte) []byte {
	const init = 1
	if kind != init {
		body = append([]byte{0, 0, 0, 7}, body...)
	}
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(1+len(body))), kind), body...)
}

func openBody(pflags uint32) []byte {
	name := binary.BigEndian.AppendUint32(nil, uint32(len("file")))
	return append(binary.BigEndian.AppendUint32(append(name, "file"...), pflags), 0, 0, 0, 0)
}
