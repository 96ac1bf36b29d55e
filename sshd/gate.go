package sshd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// gate counts connections, and turns away those that are too many: one source
// that opens thousands must not keep the others out.
type gate struct {
	now func() time.Time

	mu        sync.Mutex
	limits    Limits               // mu
	all       int                  // mu
	startups  int                  // of these, not logged in yet; mu
	sources   map[netip.Prefix]int // these, by source; mu
	accounts  map[string]int       // connections that are logged in; mu
	penalties map[netip.Prefix]penalty
}

func newGate(l Limits) *gate {
	return &gate{
		now: time.Now, limits: l,
		sources: make(map[netip.Prefix]int), accounts: make(map[string]int), penalties: make(map[netip.Prefix]penalty),
	}
}

// limit changes what holds for connections to come.
func (g *gate) limit(l Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l
}

// enter lets a connection in, or says why not.
func (g *gate) enter(from net.Addr) (*pass, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	source := g.limits.source(from)
	if left := g.penalized(source); left > 0 {
		return nil, fmt.Errorf("too many failed logins from your address; wait %v", left.Round(time.Second)+time.Second)
	}
	switch {
	case g.all >= g.limits.MaxConnections:
		return nil, errors.New("the server has as many connections as it may")
	case g.limits.PerSourceMaxStartups > 0 && g.sources[source] >= g.limits.PerSourceMaxStartups:
		return nil, errors.New("too many connections from your address are waiting to log in")
	case g.limits.MaxStartups.drop(g.startups, rand.IntN(100)):
		return nil, errors.New("too many connections are waiting to log in")
	}
	g.all++
	g.startups++
	g.sources[source]++
	return &pass{gate: g, source: source}, nil
}

// drop tells whether to turn away a connection while there are n; draw is a
// random number from 0 to 99.
func (s Startups) drop(n, draw int) bool {
	if n < s.Start {
		return false
	}
	if n >= s.Full {
		return true
	}
	chance := s.Rate + (100-s.Rate)*(n-s.Start)/(s.Full-s.Start)
	return draw < chance
}

// pass is a connection's place in the gate's counts. It belongs to the
// connection's own goroutine.
type pass struct {
	gate     *gate
	source   netip.Prefix
	loggedIn bool
	account  string // whose session it counts as
}

// admit takes a place among the sessions of an account; 0 is no limit.
func (p *pass) admit(account string, limit int) error {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if limit > 0 && p.gate.accounts[account] >= limit {
		return fmt.Errorf("too many sessions: this account may have %d at a time", limit)
	}
	p.gate.accounts[account]++
	p.account = account
	return nil
}

// login gives back the place among those not logged in yet.
func (p *pass) login() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.leaveStartups()
	p.loggedIn = true
}

// leave gives back all.
func (p *pass) leave() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.gate.all--
	if !p.loggedIn {
		p.leaveStartups()
	}
	if p.account != "" {
		decrement(p.gate.accounts, p.account)
	}
}

// leaveStartups is called with the gate's mu held.
func (p *pass) leaveStartups() {
	p.gate.startups--
	decrement(p.gate.sources, p.source)
}

// decrement keeps no counts of zero, which would be kept for ever.
func decrement[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}
