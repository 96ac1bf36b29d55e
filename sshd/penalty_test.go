package sshd

import (
	"bufio"
	"fmt"
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
	l := DefaultLimits()
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

// enters tells whether a connection of a source is admitted. The connection then
// leaves.
func enters(g *gate, from string) bool {
	p, err := g.enter(tcp(from))
	if err == nil {
		p.leave()
	}
	return err == nil
}

func (g *gate) punish(from string, times int, d time.Duration) {
	for range times {
		g.penalize(g.limits.source(tcp(from)), d)
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

func TestExemptAreNotPenalized(t *testing.T) {
	g, _ := testGate(func(l *Limits) {
		l.Penalties.Exempt = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		l.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}
	})
	for _, from := range []string{"192.0.2.1:1", "198.51.100.1:1"} {
		g.punish(from, 100, 5*time.Second)
		if !enters(g, from) {
			t.Errorf("%s is refused", from)
		}
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

func TestOneSourceCannotTakeAllPlaces(t *testing.T) {
	g, _ := testGate(func(l *Limits) { l.PerSourceMaxStartups = 3 })
	var waiting []*pass
	for range 3 {
		p, err := g.enter(tcp("192.0.2.1:1"))
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, p)
	}
	if enters(g, "192.0.2.1:1") || !enters(g, "192.0.2.2:1") {
		t.Error("the fourth connection is admitted, or one of another source is not")
	}
	waiting[0].login()
	if !enters(g, "192.0.2.1:1") {
		t.Error("one that is logged in counts")
	}
	for _, p := range waiting {
		p.leave()
	}
	if len(g.sources) != 0 || g.all != 0 || g.startups != 0 {
		t.Errorf("left behind: %v, %d, %d", g.sources, g.all, g.startups)
	}
}

// A client that fails to log in again and again is refused and told to wait.
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
	eventually(t, "the four are gone", func() bool { return s.Connections() == 0 })
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

// Health checks that are exempt are not reported and get no penalty.
func TestProbes(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Limits.Penalties.Exempt = nil
		c.Limits.ExemptProbes = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	for range 30 {
		s.dialTCP(t).Close()
	}
	eventually(t, "the probes are gone", func() bool { return s.Connections() == 0 })
	s.works(t)
	if e, ok := s.events.find(OpRefusal); ok {
		t.Errorf("reported: %+v", e)
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
	s.refusesLogin(t, "too many sessions")
	first.Close()
	eventually(t, "the next session is let in", func() bool {
		client, err := ssh.Dial("tcp", s.address, s.clientConfig())
		if err == nil {
			client.Close()
		}
		return err == nil
	})
}
