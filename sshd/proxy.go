package sshd

import (
	"context"
	"net"
	"time"

	"github.com/pires/go-proxyproto"

	"shelf/keys"
)

// proxyHeaderWait is how long a proxy may take to send its header.
const proxyHeaderWait = 5 * time.Second

// accepted starts a connection. From a proxy it must begin with a header of the
// PROXY protocol, which has the address of the client. Anybody else who sends such
// a header does not speak SSH and is refused. The header is read in a goroutine,
// so that other connections need not wait for it.
func (s *Server) accepted(ctx context.Context, nc net.Conn) {
	limits := s.current.Load().Limits
	address, _ := keys.AddressOf(nc.RemoteAddr())
	if !contains(limits.ProxyProtocol, address) {
		s.start(ctx, nc)
		return
	}
	if !s.own() {
		nc.Close()
		return
	}
	go func() {
		defer s.owned.Done()
		proxied := proxyproto.NewConn(nc, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(proxyHeaderWait))
		proxied.RemoteAddr() // reads the header
		s.start(ctx, proxied)
	}()
}
