package sshd

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"shelf/keys"
	"shelf/sshd/budget"
	"shelf/sshd/slots"
)

// gate lets connections in, or turns them away: one source that opens thousands
// must not keep the others out. Who may wait to log in is decided by slots, who may
// be logged in by the budget.
type gate struct {
	now      func() time.Time
	waiting  *slots.Table
	budget   *budget.Budget
	digests  *budget.Turns // of accounts
	failures *rate.Limiter // what failed, as events; see mayReport

	mu        sync.Mutex
	limits    Limits // mu
	penalties map[netip.Prefix]penalty
}

func newGate(l Limits) *gate {
	return &gate{
		now: time.Now, limits: l, waiting: slots.New(l.slots(), runtime.NumCPU()),
		budget: budget.New(l.budget()), digests: budget.NewTurns(max(1, runtime.NumCPU()-1)),
		failures: rate.NewLimiter(failuresOfAll, failuresAtOnce), penalties: make(map[netip.Prefix]penalty),
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
	g.budget.Change(l.budget())
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

	share *budget.Share // what it takes as one that is logged in; nil until then
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

// admit takes a place among those who are logged in. most is how many connections
// the account may have; 0 is as many as others.
func (p *pass) admit(account string, most int) (err error) {
	p.share, err = p.gate.budget.Enter(account, int64(most))
	return err
}

// exchange tells whether the connection may exchange keys.
func (p *pass) exchange() bool { return p.slot.Exchange() }

// login gives back the slot.
func (p *pass) login() { p.slot.Login() }

// leave takes the connection out of all counts.
func (p *pass) leave() {
	p.slot.Leave()
	p.share.Leave()
}
