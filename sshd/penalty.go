package sshd

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"shelf/sshd/slots"
)

// Penalties is PerSourcePenalties of sshd_config(5): how long a source is refused
// after it misbehaved. Penalties add up, and take effect once their sum comes to
// Min. The zero value has no penalties.
type Penalties struct {
	AuthFail      time.Duration // for each try to log in that failed
	NoAuth        time.Duration // gone without trying
	GraceExceeded time.Duration // there, but not logged in, when the grace time was over
	Min, Max      time.Duration
	MaxSources    int            // how many sources are remembered
	Exempt        []netip.Prefix // PerSourcePenaltyExemptList
}

// penalty is the sum of the penalties of a source.
type penalty struct {
	until  time.Time
	counts bool // the sum has come to Min
}

// errPenalized refuses a source that has to wait.
var errPenalized = errors.New("too many failed logins from your address")

// penalize adds to what the source has to wait for. A proxy that speaks for
// nobody never has to: all its clients would.
func (p *pass) penalize(d time.Duration) {
	if !p.proxy {
		p.gate.penalize(p.address, p.source, d)
	}
}

// penalized is nil if the source need not wait.
func (p *pass) penalized() error {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	left := p.gate.penalized(p.address, p.source)
	if p.proxy || left <= 0 {
		return nil
	}
	return fmt.Errorf("%w; wait %v", errPenalized, left.Round(time.Second)+time.Second)
}

func (g *gate) penalize(address netip.Addr, source netip.Prefix, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	rules := g.limits.Penalties
	if d <= 0 || rules.MaxSources == 0 || slots.Contains(rules.Exempt, address) {
		return
	}
	now := g.now()
	p, known := g.penalties[source]
	if p.until.Before(now) {
		p = penalty{until: now}
	}
	p.until = p.until.Add(d)
	if latest := now.Add(rules.Max); p.until.After(latest) {
		p.until = latest
	}
	p.counts = p.counts || p.until.Sub(now) >= rules.Min
	if !known {
		g.forget(now, rules.MaxSources)
	}
	g.penalties[source] = p
}

// forgetSample is how many sources forget looks at.
const forgetSample = 16

// forget makes room for a new source. It looks at a random sample, since Go ranges
// over a map from a random place. It removes the penalties that have expired and,
// if there still is no room, the one that expires first. The caller holds mu.
func (g *gate) forget(now time.Time, limit int) {
	var soonest netip.Prefix
	seen := 0
	for source, p := range g.penalties {
		switch {
		case p.until.Before(now):
			delete(g.penalties, source)
		case !soonest.IsValid() || p.until.Before(g.penalties[soonest].until):
			soonest = source
		}
		if seen++; seen == forgetSample {
			break
		}
	}
	if len(g.penalties) >= limit {
		delete(g.penalties, soonest)
	}
}

// penalized is how long a source has to wait. It is called with mu held.
func (g *gate) penalized(address netip.Addr, source netip.Prefix) time.Duration {
	p, ok := g.penalties[source]
	if !ok || !p.counts || slots.Contains(g.limits.Penalties.Exempt, address) {
		return 0
	}
	return p.until.Sub(g.now())
}

// Penalized is a source that is turned away.
type Penalized struct {
	Source netip.Prefix
	Until  time.Time
}

// Penalized lists the sources that are turned away now.
func (s *Server) Penalized() (all []Penalized) {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	for source, p := range g.penalties {
		if p.counts && p.until.After(g.now()) {
			all = append(all, Penalized{source, p.until})
		}
	}
	slices.SortFunc(all, func(a, b Penalized) int { return a.Source.Addr().Compare(b.Source.Addr()) })
	return all
}

// Forgive forgets the penalties of all sources that have an address in common with
// a network, and tells which of them were turned away.
func (s *Server) Forgive(network netip.Prefix) (forgiven []Penalized) {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	for source, p := range g.penalties {
		if !source.Overlaps(network) {
			continue
		}
		if p.counts && p.until.After(g.now()) {
			forgiven = append(forgiven, Penalized{source, p.until})
		}
		delete(g.penalties, source)
	}
	return forgiven
}

// source is the network that counts as one source: PerSourceNetBlockSize of
// sshd_config(5). A peer without an IP address is of no network.
func (l Limits) source(address netip.Addr) netip.Prefix {
	bits := l.PerSourceNetBlockSize.IPv4
	if address.Is6() {
		bits = l.PerSourceNetBlockSize.IPv6
	}
	network, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
