package tests

import (
	"net"
	"os"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// client is an SFTP client in the test process, for what no stock client can
// be made to send, and for many at once.
type client struct {
	*sftp.Client
	tcp *net.TCPConn
	ssh ssh.Conn
}

// dial logs in as user and opens an SFTP session, which ends with the test.
func (s *server) dial(t testing.TB) *client {
	t.Helper()
	c, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.close() })
	return c
}

// connect is dial for goroutines other than the test's.
func (s *server) connect() (*client, error) { return s.connectAs(user) }

func (s *server) connectAs(account string) (*client, error) { return s.connectBy(account, s.identity) }

// connectBy logs in by the private key in a file.
func (s *server) connectBy(account, identity string) (*client, error) {
	signer, err := readIdentity(identity)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("tcp", s.address(), patience)
	if err != nil {
		return nil, err
	}
	transport, channels, requests, err := ssh.NewClientConn(conn, s.addr, &ssh.ClientConfig{
		User:            account,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // the address says who it is: we started it
		Timeout:         patience,
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	session, err := sftp.NewClient(ssh.NewClient(transport, channels, requests))
	if err != nil {
		transport.Close()
		return nil, err
	}
	return &client{session, conn.(*net.TCPConn), transport}, nil
}

// close ends the connection and with it the session. It waits for no answer: a
// server that hangs must not hold up the end of the test that found it.
func (c *client) close() error { return c.ssh.Close() }

// cut drops the connection without a word of SFTP or SSH: by a FIN, or by a
// reset, as when the machine is gone.
func (c *client) cut(reset bool) {
	if reset {
		c.tcp.SetLinger(0)
	}
	c.tcp.Close()
}

func readIdentity(file string) (ssh.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(text)
}
