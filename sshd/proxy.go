package sshd

import (
	"context"
	"net"
	"time"

	"github.com/pires/go-proxyproto"

	"shelf/keys"
	"shelf/sshd/slots"
)

// proxyHeaderWait is how long a proxy may take to send its header.
const proxyHeaderWait = 5 * time.Second

// accepted takes care of a connection. One from a proxy begins with a header of
// the PROXY protocol that says who the client is; from anybody else such a
// header is not SSH. To wait for it must not keep others from being accepted, and
// takes a slot of those who are not logged in yet.
func (s *Server) accepted(ctx context.Context, nc net.Conn) {
	peer, _ := keys.AddressOf(nc.RemoteAddr())
	if !slots.Contains(s.current.Load().Limits.ProxyProtocol, peer) {
		pass, err := s.gate.enter(nc)
		if err != nil {
			s.turnAway(nc, err)
			return
		}
		s.start(ctx, nc, pass)
		return
	}
	pass, err := s.gate.enterProxy(nc)
	if err != nil {
		s.turnAway(nc, err)
		return
	}
	s.owned.Go(func() { s.startProxied(ctx, nc, pass) })
}

// startProxied waits for the header. Without one the connection is the proxy's
// own, as when it looks whether somebody is there.
func (s *Server) startProxied(ctx context.Context, nc net.Conn, pass *pass) {
	proxied := proxyproto.NewConn(nc, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(proxyHeaderWait))
	if h := proxied.ProxyHeader(); h != nil && !h.Command.IsLocal() && h.SourceAddr != nil {
		if err := pass.speakFor(h.SourceAddr); err != nil {
			s.turnAway(proxied, err)
			pass.leave()
			return
		}
	}
	s.start(ctx, proxied, pass)
}
