package sshd

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// far is a connection whose client hears of everything later.
type far struct{ net.Conn }

func (f far) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	time.Sleep(20 * time.Millisecond)
	return n, err
}

// What a client may send is not 2 MiB a round trip, and comes from a budget.
func TestFarClientGetsAWideWindow(t *testing.T) {
	const memory = 64 << 20
	s := serve(t, func(c *Config) { c.Limits.Memory = memory })
	nc, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	conn, channels, requests, err := ssh.NewClientConn(far{nc}, s.address, s.clientConfig())
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(conn, channels, requests)
	defer client.Close()
	files, err := sftp.NewClient(client, sftp.MaxPacketUnchecked(255<<10), sftp.UseConcurrentWrites(true))
	if err != nil {
		t.Fatal(err)
	}
	f, err := files.Create("/large")
	if err != nil {
		t.Fatal(err)
	}
	// It is not known how fast this machine is; what is sent at last is a gigabyte.
	piece := make([]byte, 16<<20)
	for range 64 {
		if _, err := f.ReadFrom(bytes.NewReader(piece)); err != nil {
			t.Fatal(err)
		}
		if s.windows.Taken() > 0 {
			break
		}
	}
	if n := s.windows.Taken(); n <= 0 || n > memory {
		t.Errorf("of the budget %d bytes are taken", n)
	}
	client.Close()
	eventually(t, "the budget to be given back", func() bool { return s.windows.Taken() == 0 })
}
