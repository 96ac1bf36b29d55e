package sshd

import (
	"context"
	"net"
	"time"

	"github.com/pires/go-proxyproto"

	"shelf/keys"
)

// proxyHeaderWait is how long a proxy may take to say whom it connects.
const proxyHeaderWait = 5 * time.Second

// accepted takes care of a connection. One from a proxy begins with a header of
// the PROXY protocol that says who the client is; from anybody else such a
// header is not SSH. To wait for it must not keep others from being accepted.
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
