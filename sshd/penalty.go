package sshd

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"shelf/keys"
)

// Penalties is PerSourcePenalties of sshd_config(5): how long a source is refused
// after it misbehaved. Penalties add up, and take effect once their sum comes to
// Min. The zero value has no penalties.
type Penalties struct {
	AuthFail      time.Duration // the client tried to log in and failed
	NoAuth        time.Duration // the client left without a try
	GraceExceeded time.Duration // the login took longer than LoginGraceTime
	Min, Max      time.Duration
	MaxSources    int            // how many sources are remembered
	Exempt        []netip.Prefix // PerSourcePenaltyExemptList
}

// penalty is the sum of the penalties of a source.
type penalty struct {
	until  time.Time
	counts bool // the sum has come to Min
}

// penalize adds d to the penalty of a source.
func (g *gate) penalize(source netip.Prefix, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	rules := g.limits.Penalties
	if d <= 0 || rules.MaxSources == 0 || contains(rules.Exempt, source.Addr()) || contains(g.limits.ProxyProtocol, source.Addr()) {
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

// penalized is how long a source is still refused. The caller holds mu.
func (g *gate) penalized(source netip.Prefix) time.Duration {
	p, ok := g.penalties[source]
	if !ok || !p.counts || contains(g.limits.Penalties.Exempt, source.Addr()) {
		return 0
	}
	return p.until.Sub(g.now())
}

// source is the network of an address that counts as one source, by
// PerSourceNetBlockSize of sshd_config(5). A peer without an IP address has none.
func (l Limits) source(from net.Addr) netip.Prefix {
	address, ok := keys.AddressOf(from)
	if !ok {
		return netip.Prefix{}
	}
	bits := l.PerSourceNetBlockSize.IPv4
	if address.Is6() {
		bits = l.PerSourceNetBlockSize.IPv6
	}
	network, err := address.Prefix(bits)
	if err != nil {
		network = netip.PrefixFrom(address, address.BitLen())
	}
	return network
}

func contains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address) })
}
