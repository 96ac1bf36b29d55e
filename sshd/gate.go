package sshd

import (
	"errors"
	"math/rand/v2"
	"sync"
)

// gate counts connections, and turns away those that are too many: one client
// that opens thousands must not keep the others out for long.
type gate struct {
	limits Limits

	mu       sync.Mutex
	all      int // mu
	startups int // of these, not logged in yet; mu
}

func newGate(l Limits) *gate { return &gate{limits: l} }

// enter lets a connection in, or says why not.
func (g *gate) enter() (*pass, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all >= g.limits.MaxConnections {
		return nil, errors.New("the server has as many connections as it may")
	}
	if g.limits.MaxStartups.drop(g.startups, rand.IntN(100)) {
		return nil, errors.New("too many connections are waiting to log in")
	}
	g.all++
	g.startups++
	return &pass{gate: g}, nil
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
	loggedIn bool
}

// login gives back the place among those not logged in yet.
func (p *pass) login() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.gate.startups--
	p.loggedIn = true
}

// leave gives back all.
func (p *pass) leave() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.gate.all--
	if !p.loggedIn {
		p.gate.startups--
	}
}
