package sshd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
)

// testGate is a gate with its own clock. No source is exempt.
func testGate(edit func(*Limits)) (*gate, *time.Time) {
	l := testLimits()
	l.Penalties.Exempt = nil
	if edit != nil {
		edit(&l)
	}
	g := newGate(l)
	now := time.Unix(1e9, 0)
	g.now = func() time.Time { return now }
	return g, &now
}

func tcp(address string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address)) }

// caller is a connection of which nothing is known but where it comes from.
type caller struct {
	net.Conn
	from net.Addr
}

func (p caller) RemoteAddr() net.Addr { return p.from }
func (p caller) Close() error         { return nil }

// enters tells whether a source is let in; it leaves again.
func enters(g *gate, from string) bool {
	p, err := g.enter(caller{from: tcp(from)})
	if err == nil {
		p.leave()
	}
	return err == nil
}

func (g *gate) punish(from string, times int, d time.Duration) {
	for range times {
		g.newPass(tcp(from)).penalize(d)
	}
}

func TestPenalties(t *testing.T) {
	g, now := testGate(nil)
	g.punish("192.0.2.1:1", 2, 5*time.Second)
	if !enters(g, "192.0.2.1:2") {
		t.Error("refused before the penalties come to Min")
	}
	g.punish("192.0.2.1:1", 1, 5*time.Second)
	if enters(g, "192.0.2.1:2") {
		t.Error("admitted after many failures")
	}
	if !enters(g, "192.0.2.2:2") {
		t.Error("another source is refused")
	}
	*now = now.Add(16 * time.Second)
	if !enters(g, "192.0.2.1:2") {
		t.Error("refused after the penalty has expired")
	}
	g.punish("192.0.2.1:1", 1000, 5*time.Second)
	*now = now.Add(g.limits.Penalties.Max + time.Second)
	if !enters(g, "192.0.2.1:2") {
		t.Error("refused for longer than Max")
	}
}

func TestSources(t *testing.T) {
	g, _ := testGate(nil)
	g.punish("[2001:db8::1]:1", 3, 5*time.Second)
	g.punish("192.0.2.1:1", 3, 5*time.Second)
	for from, want := range map[string]bool{
		"[2001:db8::ffff]:1": false, "[2001:db8:0:1::1]:1": true,
		"[::ffff:192.0.2.1]:1": false, "192.0.2.2:1": true,
	} {
		if enters(g, from) != want {
			t.Errorf("%s: admitted is %v, want %v", from, !want, want)
		}
	}
}

// Exempt are addresses, not the networks around them.
func TestExemptAreNotPenalized(t *testing.T) {
	g, _ := testGate(func(l *Limits) {
		for _, n := range []string{"192.0.2.0/24", "::1/128", "2001:db8::7/128"} {
			l.Penalties.Exempt = append(l.Penalties.Exempt, netip.MustParsePrefix(n))
		}
	})
	for from, want := range map[string]bool{
		"192.0.2.1:1": true, "[::ffff:192.0.2.1]:1": true, "[::1]:1": true, "[2001:db8::7]:1": true,
		"[2001:db8::8]:1": false, "198.51.100.1:1": false,
	} {
		g.punish(from, 100, 5*time.Second)
		if enters(g, from) != want {
			t.Errorf("%s is let in: %v, want %v", from, !want, want)
		}
	}
	if !enters(g, "[2001:db8::7]:1") {
		t.Error("who is exempt has to wait for its neighbour")
	}
}

// A proxy is not to blame for its clients, and its clients are to blame for
// themselves, also one whose address is among those of proxies.
func TestClientsOfAProxyArePenalized(t *testing.T) {
	g, _ := testGate(func(l *Limits) { l.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	through := func() (*pass, error) {
		p, err := g.enterProxy(caller{from: tcp("10.0.0.1:1")})
		if err != nil {
			t.Fatal(err)
		}
		return p, p.speakFor(tcp("10.0.0.2:1"))
	}
	for range 4 {
		p, err := through()
		if err != nil {
			break
		}
		p.penalize(5 * time.Second)
		p.leave()
	}
	if p, err := through(); err == nil {
		t.Error("a client inside the proxy's network is let in after many failures")
		p.leave()
	}
	for range 100 {
		p, err := g.enterProxy(caller{from: tcp("10.0.0.1:1")})
		if err != nil {
			t.Fatal(err)
		}
		p.penalize(5 * time.Second)
		p.leave()
	}
	if _, err := g.enterProxy(caller{from: tcp("10.0.0.1:1")}); err != nil {
		t.Errorf("the proxy is turned away: %v", err)
	}
}

// No more than MaxSources are remembered: those whose penalties expire last.
func TestPenaltiesAreBounded(t *testing.T) {
	g, _ := testGate(func(l *Limits) { l.Penalties.MaxSources = 100 })
	for i := range 10_000 {
		g.punish(fmt.Sprintf("10.0.%d.%d:1", i/256, i%256), 1, 5*time.Second)
	}
	if len(g.penalties) > 100 {
		t.Errorf("%d sources are remembered", len(g.penalties))
	}
}

// Who fails again and again is told to wait, over a real connection.
func TestFailuresArePenalized(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.Penalties.Exempt = nil })
	c := s.clientConfig()
	c.Auth = []ssh.AuthMethod{ssh.PublicKeys(newKey(t))}
	for range 4 {
		if client, err := ssh.Dial("tcp", s.address, c); err == nil {
			client.Close()
			t.Fatal("logged in")
		}
	}
	eventually(t, "the four are gone", func() bool { return s.Count() == 0 })
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(line, "Not served: too many failed logins") {
		t.Errorf("the fifth is told %q (%v)", line, err)
	}
}

// Probes of those who may look are not reported, be it one address of IPv6.
func TestProbes(t *testing.T) {
	for network, say := range map[string]string{
		"127.0.0.1/32": "PROXY UNKNOWN\r\n", "2001:db8::7/128": "PROXY TCP6 2001:db8::7 2001:db8::1 1000 22\r\n",
	} {
		t.Run(network, func(t *testing.T) {
			s := serve(t, func(c *Config) {
				c.Limits.Penalties.NoAuth = time.Second
				c.Limits.ExemptProbes = []netip.Prefix{netip.MustParsePrefix(network)}
				c.Limits.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			})
			for range 5 {
				conn := s.dialTCP(t)
				if _, err := io.WriteString(conn, say); err != nil {
					t.Fatal(err)
				}
				conn.Close()
			}
			eventually(t, "the probes are gone", func() bool { return s.gate.waiting.Waiting() == 0 && s.Count() == 0 })
			if err := s.proxied(t, proxyHeader); err != nil {
				t.Fatal(err)
			}
			if e, ok := s.events.find(OpRefusal); ok {
				t.Errorf("reported: %+v", e)
			}
		})
	}
}

func TestSessionsOfAnAccountAreCapped(t *testing.T) {
	s := serve(t, func(c *Config) {
		serve := c.Session
		c.Session = func(id keys.Identity) (Service, error) {
			service, err := serve(id)
			service.MaxSessions = 1
			return service, err
		}
	})
	first := s.dial(t)
	s.refusesLogin(t, "max_sessions")
	first.Close()
	eventually(t, "the next session is let in", func() bool {
		client, err := ssh.Dial("tcp", s.address, s.clientConfig())
		if err == nil {
			client.Close()
		}
		return err == nil
	})
}
