package sshd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"shelf/keys"
	"shelf/sshd/slots"
)

// gate lets connections in, or turns them away: one source that opens thousands
// must not keep the others out. Who may wait to log in is decided by slots.
type gate struct {
	now     func() time.Time
	waiting *slots.Table

	mu        sync.Mutex
	limits    Limits         // mu
	loggedIn  int            // connections; mu
	accounts  map[string]int // these, by account; mu
	penalties map[netip.Prefix]penalty
}

func newGate(l Limits) *gate {
	return &gate{
		now: time.Now, limits: l, waiting: slots.New(l.slots(), runtime.NumCPU()),
		accounts: make(map[string]int), penalties: make(map[netip.Prefix]penalty),
	}
}

// slots are the rules for those who are not logged in yet.
func (l Limits) slots() slots.Rules {
	return slots.Rules{
		Max: l.MaxStartups, PerSource: l.PerSourceMaxStartups, Exempt: l.Penalties.Exempt,
		BitsIPv4: l.PerSourceNetBlockSize.IPv4, BitsIPv6: l.PerSourceNetBlockSize.IPv6,
	}
}

// limit sets the limits for new connections.
func (g *gate) limit(l Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l
	g.waiting.Change(l.slots())
}

// enter lets a connection in, or says why not. It is closed if another gets its
// slot before it is logged in.
func (g *gate) enter(nc net.Conn) (*pass, error) {
	p := g.newPass(nc.RemoteAddr())
	if err := p.penalized(); err != nil {
		return nil, err
	}
	return p, p.take(nc, p.address)
}

// enterProxy lets a proxy's connection in, which waits to say for whom it is. It
// takes a slot, but the proxy is not to blame for what its clients do.
func (g *gate) enterProxy(nc net.Conn) (*pass, error) {
	p := g.newPass(nc.RemoteAddr())
	p.proxy = true
	return p, p.take(nc, netip.Addr{})
}

func (g *gate) newPass(from net.Addr) *pass {
	g.mu.Lock()
	defer g.mu.Unlock()
	address, _ := keys.AddressOf(from)
	return &pass{gate: g, address: address, source: g.limits.source(address)}
}

// pass is a connection's place in the gate's counts. All but evicted belongs to
// the connection's own goroutine.
type pass struct {
	gate    *gate
	slot    *slots.Slot
	address netip.Addr   // of the client; not valid if it has none
	source  netip.Prefix // the network of it that counts as one source
	proxy   bool         // the address is a proxy's, which speaks for nobody
	evicted atomic.Bool  // another has its slot

	admitted bool   // it counts as logged in
	account  string // whose session it counts as
}

// take takes a slot for a connection.
func (p *pass) take(nc net.Conn, from netip.Addr) (err error) {
	p.slot, err = p.gate.waiting.Enter(from, func() {
		p.evicted.Store(true)
		nc.Close()
	})
	return err
}

// speakFor makes a proxy's connection that of its client, or says why the client
// is not let in.
func (p *pass) speakFor(client net.Addr) error {
	of := p.gate.newPass(client)
	p.address, p.source, p.proxy = of.address, of.source, false
	if err := p.penalized(); err != nil {
		return err
	}
	return p.slot.Move(p.address)
}

// errMany refuses a login.
var errMany = errors.New("the server has reached max_connections; try again later")

// admit takes a place among those who are logged in and among the sessions of an
// account, of which a limit of 0 is none.
func (p *pass) admit(account string, limit int) error {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	switch {
	case p.gate.loggedIn >= p.gate.limits.MaxConnections:
		return errMany
	case limit > 0 && p.gate.accounts[account] >= limit:
		return fmt.Errorf("too many sessions: this account may have %d at a time", limit)
	}
	p.gate.loggedIn++
	p.gate.accounts[account]++
	p.admitted, p.account = true, account
	return nil
}

// exchange tells whether the connection may exchange keys.
func (p *pass) exchange() bool { return p.slot.Exchange() }

// login gives back the slot.
func (p *pass) login() { p.slot.Login() }

// leave takes the connection out of all counts.
func (p *pass) leave() {
	p.slot.Leave()
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if p.admitted {
		p.gate.loggedIn--
		decrement(p.gate.accounts, p.account)
	}
}

// decrement keeps no counts of zero, which would be kept for ever.
func decrement[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}
