package transfer

import (
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"testing"

	pkgsftp "github.com/pkg/sftp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelf/sftp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is connected to a server with a library in memory.
func client(t *testing.T) *sftp.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(host)
	go func() {
		if there, err := l.Accept(); err == nil {
			serve(there, config)
		}
	}()
	here, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, channels, requests, err := ssh.NewClientConn(here, "", &ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(host.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	c, err := sftp.New(t.Context(), ssh.NewClient(conn, channels, requests), sftp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func serve(nc net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(nc, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	files := pkgsftp.InMemHandler()
	for next := range channels {
		c, requests, err := next.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				r.Reply(r.Type == "subsystem", nil)
				if r.Type == "subsystem" {
					go pkgsftp.NewRequestServer(c, files).Serve()
				}
			}
		}()
	}
}
