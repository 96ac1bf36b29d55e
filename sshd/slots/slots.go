// Package slots decides who may wait to log in when more want to than can: it
// gives each connection a slot until it is logged in.
//
// Networks are remembered, not only counted. Each entry is a debt of the
// networks that it came from, which a login pays back and which fades with
// time; a network that somebody logged in from lately is known. When all slots
// are taken, a newcomer gets that of the waiter whose networks owe most.
//
//	slots.go   Table: entering, the key exchange, logging in
//	nets.go    the networks of an address
//	memory.go  what is remembered of them
//
// An honest stranger owes 1. Who comes again and again without logging in owes
// more, be it from one address or from many of one network.
package slots

import (
	"errors"
	"hash/maphash"
	"math"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

const (
	// sample is how many are looked at to find the worst among all: waiters, or
	// networks that are remembered.
	sample = 16

	// halfLife is the time in which a debt fades to its half.
	halfLife = 10 * time.Minute

	// creditLimit is the debt up to which a known network goes first.
	creditLimit = 64

	// heaviest is the greatest weight: beyond it all are equal, so that honest
	// people behind one address with a bad one are not shut out.
	heaviest = 5

	// lighterThan is how many of the sampled waiters a connection must be lighter
	// than to exchange keys when there is no token for it.
	lighterThan = 12

	// exchangesPerCore is how many key exchanges a second a processor core may
	// begin: one takes half a millisecond or so.
	exchangesPerCore = 500

	// burst is how long tokens are saved up.
	burst = time.Second / 4
)

// ErrFull refuses a connection because others, who have more right to it, wait
// in all slots.
var ErrFull = errors.New("too many connections are waiting to log in")

// ErrSource refuses a connection because of others from its own network.
var ErrSource = errors.New("too many connections from your address are waiting to log in")

// Rules say how many may wait.
type Rules struct {
	Max       int // slots
	PerSource int // of one network, of the narrowest kind; 0 is no limit

	// BitsIPv4 and BitsIPv6 are the length of the narrowest networks. Of each
	// there are two wider ones, by 8 and 16 bits of IPv4, 16 and 32 of IPv6.
	BitsIPv4, BitsIPv6 int

	Exempt []netip.Prefix // networks that owe nothing
}

// Table holds the slots. It is safe for concurrent use.
type Table struct {
	now func() time.Duration // since the table was made
	seed

	mu      sync.Mutex
	random  *rand.Rand
	rules   Rules
	waiting []*Slot
	sources map[uint64]int // how many of them, by narrowest network
	debts   *memory
	known   *memory // networks that somebody logged in from
	tokens  float64 // for key exchanges
	rate    float64 // of tokens, a second
	filled  time.Duration
}

// New makes a table for a machine with so many processor cores.
func New(r Rules, cores int) *Table {
	start := time.Now()
	return newTable(r, cores, func() time.Duration { return time.Since(start) }, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
}

// newTable has the clock and the dice from outside.
func newTable(r Rules, cores int, now func() time.Duration, random *rand.Rand) *Table {
	rate := float64(exchangesPerCore * cores)
	return &Table{
		now: now, seed: seed{maphash.MakeSeed()}, random: random, rules: r, sources: make(map[uint64]int),
		debts: newMemory(maxDebts), known: newMemory(maxKnown), tokens: rate * burst.Seconds(), rate: rate,
	}
}

// Change sets the rules for new connections. Those that wait stay.
func (t *Table) Change(r Rules) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rules = r
}

// A Slot is the place of one connection that is not logged in yet.
type Slot struct {
	table   *Table
	nets    nets
	owes    bool
	entered time.Duration
	index   int    // in waiting; -1 when it is given back
	evict   func() // ends the connection
}

// Enter gives a connection a slot, or says why not. evict is called, without
// delay and from any goroutine, if another gets the slot before it is given
// back; it must not wait. An address that is not valid owes nothing.
func (t *Table) Enter(from netip.Addr, evict func()) (*Slot, error) {
	slot, evicted, err := t.enter(from, evict)
	if evicted != nil {
		evicted.evict()
	}
	return slot, err
}

func (t *Table) enter(from netip.Addr, evict func()) (slot, evicted *Slot, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &Slot{table: t, index: -1, evict: evict, entered: t.now()}
	if !t.place(s, from) {
		return nil, nil, ErrSource
	}
	if len(t.waiting) >= t.rules.Max {
		if evicted = t.worst(); evicted == nil || t.weight(s.nets) > t.weight(evicted.nets) {
			return nil, nil, ErrFull
		}
		t.remove(evicted)
	}
	t.add(s)
	return s, evicted, nil
}

// place says where a connection comes from, and has its networks owe for it. It
// is false if too many are there from the same. It is called with mu held.
func (t *Table) place(s *Slot, from netip.Addr) bool {
	s.nets = t.nets(from, t.rules)
	s.owes = from.IsValid() && !Contains(t.rules.Exempt, from)
	if s.owes {
		t.charge(s.nets, 1)
	}
	return !from.IsValid() || t.rules.PerSource == 0 || t.sources[s.nets.narrowest()] < t.rules.PerSource
}

// Move changes where a connection comes from, when its proxy has said so: the
// proxy owes nothing for it any more, and its client does. If all slots are
// taken and it is heavier than another waiter, it loses its own.
func (s *Slot) Move(from netip.Addr) error {
	t := s.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.owes {
		t.charge(s.nets, -1)
	}
	if s.index < 0 {
		return ErrFull // it was evicted meanwhile
	}
	t.remove(s)
	if !t.place(s, from) {
		return ErrSource
	}
	if len(t.waiting)+1 >= t.rules.Max {
		if other := t.worst(); other != nil && t.weight(s.nets) > t.weight(other.nets) {
			return ErrFull
		}
	}
	t.add(s)
	return nil
}

// Exchange tells whether a connection may exchange keys, which is the dearest
// thing that a stranger can ask for: if there is a token, or it is lighter than
// most who wait. Ask when the client has said what it can do.
func (s *Slot) Exchange() bool {
	t := s.table
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.tokens = min(t.rate*burst.Seconds(), t.tokens+t.rate*(now-t.filled).Seconds())
	t.filled = now
	if t.tokens >= 1 {
		t.tokens--
		return true
	}
	if len(t.waiting) == 0 {
		return false
	}
	mine, lighter := t.weight(s.nets), 0
	for range sample {
		if mine < t.weight(t.waiting[t.random.IntN(len(t.waiting))].nets) {
			lighter++
		}
	}
	return lighter >= lighterThan
}

// Login gives the slot back with thanks: its networks owe nothing for it, and
// are known.
func (s *Slot) Login() {
	t := s.table
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(s)
	if s.owes {
		t.charge(s.nets, -1)
		s.owes = false
	}
	for _, net := range s.nets.credited() {
		t.remember(net)
	}
}

// Leave gives the slot back, if that has not happened yet.
func (s *Slot) Leave() {
	s.table.mu.Lock()
	defer s.table.mu.Unlock()
	s.table.remove(s)
}

// Waiting is how many slots are taken.
func (t *Table) Waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting)
}

// add is called with mu held, as all below.
func (t *Table) add(s *Slot) {
	s.index = len(t.waiting)
	t.waiting = append(t.waiting, s)
	t.sources[s.nets.narrowest()]++
}

func (t *Table) remove(s *Slot) {
	if s.index < 0 {
		return
	}
	last := len(t.waiting) - 1
	t.waiting[s.index] = t.waiting[last]
	t.waiting[s.index].index = s.index
	t.waiting[last], t.waiting, s.index = nil, t.waiting[:last], -1
	net := s.nets.narrowest()
	if t.sources[net]--; t.sources[net] <= 0 {
		delete(t.sources, net)
	}
}

// worst is, among some waiters, the one of the greatest weight, and of several
// such the one that has waited longest.
func (t *Table) worst() (worst *Slot) {
	if len(t.waiting) == 0 {
		return nil
	}
	most := math.MinInt
	for range sample {
		s := t.waiting[t.random.IntN(len(t.waiting))]
		if w := t.weight(s.nets); w > most || w == most && s.entered < worst.entered {
			worst, most = s, w
		}
	}
	return worst
}

// weight says how much the networks of a connection owe, in powers of two; -1
// is that one of them is known and owes little.
func (t *Table) weight(n nets) int {
	most := 0.0
	for i, net := range n {
		debt := t.debt(net)
		if t.known.get(net) != nil && debt <= creditLimit {
			return -1
		}
		most = max(most, debt/scale(i))
	}
	return min(heaviest, bits.Len(uint(math.Round(most))))
}

// debt is what a network owes now.
func (t *Table) debt(net uint64) float64 {
	r := t.debts.get(net)
	if r == nil {
		return 0
	}
	return r.faded(t.now())
}

// charge adds to the debts of networks.
func (t *Table) charge(n nets, by float64) {
	now := t.now()
	for _, net := range n {
		r := t.debts.get(net)
		if r == nil {
			r = t.debts.put(net, t.random, func(a, b *record) bool { return a.faded(now) < b.faded(now) })
		}
		r.debt, r.at = max(0, r.faded(now)+by), now
	}
}

// remember makes a network known, now.
func (t *Table) remember(net uint64) {
	r := t.known.get(net)
	if r == nil {
		r = t.known.put(net, t.random, func(a, b *record) bool { return a.at < b.at })
	}
	r.at = t.now()
}
