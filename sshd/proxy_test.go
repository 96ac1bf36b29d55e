package sshd

import (
	"io"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// proxied logs in over a connection that begins with a PROXY header.
func (s *testServer) proxied(t *testing.T, header string) error {
	t.Helper()
	conn := s.dialTCP(t)
	if _, err := io.WriteString(conn, header); err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	client, _, _, err := ssh.NewClientConn(conn, s.address, s.clientConfig())
	if err == nil {
		client.Close()
	}
	return err
}

const proxyHeader = "PROXY TCP4 203.0.113.9 127.0.0.1 1000 22\r\n"

// The address of the client comes from the header of a proxy. A header from
// anybody else is refused.
func TestProxy(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Limits.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	if err := s.proxied(t, proxyHeader); err != nil {
		t.Fatal(err)
	}
	if e := s.events.await(t, OpLogin); e.Source != "203.0.113.9:1000" {
		t.Errorf("the client is %s", e.Source)
	}
	for _, header := range []string{"", "PROXY TCP4 nonsense\r\n"} {
		if s.proxied(t, header) == nil {
			t.Errorf("logged in after the header %q", header)
		}
	}
}

func TestNoProxy(t *testing.T) {
	s := serve(t, nil)
	if s.proxied(t, proxyHeader) == nil {
		t.Error("a client that is not a proxy can set its address")
	}
	s.works(t)
}
