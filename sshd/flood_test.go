package sshd

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestFlood has strangers take all slots, again and again, over real
// connections: from the addresses of the loopback network, and from 30 networks
// whose addresses a proxy tells. Everybody honest gets in all the while, from a
// network that nobody knows.
func TestFlood(t *testing.T) {
	const slots, honest = 20, 25
	for name, test := range map[string]struct {
		proxied bool
		from    func(n uint32) netip.Addr // of a stranger
	}{
		"one network": {false, func(n uint32) netip.Addr { return netip.AddrFrom4([4]byte{127, 1, 1, byte(1 + n%250)}) }},
		"30 networks": {true, func(n uint32) netip.Addr { return netip.AddrFrom4([4]byte{20, byte(n % 30), 0, 1}) }},
		"an IPv6 /48": {true, func(n uint32) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0, byte(n >> 8), byte(n), 15: 1})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(c *Config) {
				c.Limits.MaxStartups = slots
				c.Limits.Penalties.Exempt = nil
				if test.proxied {
					c.Limits.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
				}
			})
			var over atomic.Bool
			var came atomic.Uint32
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for !over.Load() {
						s.stranger(t, test.from(rand.Uint32()), test.proxied)
						came.Add(1)
						time.Sleep(10 * time.Millisecond)
					}
				})
			}
			eventually(t, "strangers have come ten times as often as there are slots", func() bool { return came.Load() > 10*slots })
			for n := range honest {
				conn, err := s.dialAs(netip.AddrFrom4([4]byte{127, byte(10 + n), 0, 1}), test.proxied)
				if err != nil {
					t.Fatal(err)
				}
				conn.SetDeadline(time.Now().Add(patience))
				client, _, _, err := ssh.NewClientConn(conn, s.address, s.clientConfig())
				if err != nil {
					t.Errorf("honest login %d: %v", n, err)
					continue
				}
				client.Close()
			}
			over.Store(true)
			all.Wait()
			// The client may know before the server has gone on to report it.
			eventually(t, "each login is reported", func() bool { return len(s.events.ofOp(OpLogin)) == honest })
			t.Logf("%d strangers came meanwhile", came.Load())
		})
	}
}

// stranger connects, reads until it is served or not, and stays without a word
// until it is cut off or the test ends.
func (s *testServer) stranger(t *testing.T, from netip.Addr, proxied bool) {
	if conn, err := s.dialAs(from, proxied); err == nil {
		t.Cleanup(func() { conn.Close() })
	}
}

// dialAs connects from an address, which a proxy tells if it is proxied.
func (s *testServer) dialAs(from netip.Addr, proxied bool) (net.Conn, error) {
	if !proxied {
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Timeout: patience}
		return d.Dial("tcp", s.address)
	}
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	version, to := "TCP4", "192.0.2.1"
	if from.Is6() {
		version, to = "TCP6", "2001:db8::1"
	}
	_, err = io.WriteString(conn, fmt.Sprintf("PROXY %s %s %s 1000 22\r\n", version, from, to))
	return conn, err
}
