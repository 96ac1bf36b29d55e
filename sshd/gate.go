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

// gate limits the number of connections, in all and by source: a source that
// opens thousands must not keep the others out.
type gate struct {
	now func() time.Time

	mu        sync.Mutex
	limits    Limits                   // mu
	all       int                      // connections; mu
	startups  int                      // connections that are not logged in yet; mu
	sources   map[netip.Prefix]int     // the same, by source; mu
	accounts  map[string]int           // connections that are logged in, by account; mu
	penalties map[netip.Prefix]penalty // by source; mu
}

func newGate(l Limits) *gate {
	return &gate{
		now: time.Now, limits: l,
		sources: make(map[netip.Prefix]int), accounts: make(map[string]int), penalties: make(map[netip.Prefix]penalty),
	}
}

// limit sets the limits for new connections.
func (g *gate) limit(l Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l
}

// enter admits a connection, or returns why not.
func (g *gate) enter(from net.Addr) (*pass, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	source := g.limits.source(from)
	if left := g.penalized(source); left > 0 {
		return nil, fmt.Errorf("too many failed logins from your address; wait %v", left.Round(time.Second)+time.Second)
	}
	switch {
	case g.all >= g.limits.MaxConnections:
		return nil, errors.New("the server has too many connections")
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

// drop tells whether to refuse a new connection when n others are not logged in
// yet; draw is a random number from 0 to 99.
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

// pass is one connection in the gate's counts. It belongs to the connection's own
// goroutine.
type pass struct {
	gate     *gate
	source   netip.Prefix
	loggedIn bool
	account  string // the account whose count it is in
}

// admit counts the connection as a session of an account, unless the account has
// as many as limit already. 0 is no limit.
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

// login takes the connection out of the count of those not logged in yet.
func (p *pass) login() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.leaveStartups()
	p.loggedIn = true
}

// leave takes the connection out of all counts.
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

// leaveStartups takes it out of the counts of those not logged in yet. The caller
// holds the gate's mu.
func (p *pass) leaveStartups() {
	p.gate.startups--
	decrement(p.gate.sources, p.source)
}

// decrement removes a count that comes to zero, so that the map does not grow for
// ever.
func decrement[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}
