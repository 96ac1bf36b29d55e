package slots

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// TestAttacks plays attacks on a table of 500 slots, for half a minute in which
// honest people log in too, and looks at how many of those are served. No time
// passes but that of the simulation, and the dice have a seed.
func TestAttacks(t *testing.T) {
	for name, test := range map[string]struct {
		attack    func(*simulation)
		all, slow float64 // shares of honest logins served, at least
		behindNAT float64 // of those from the attackers' own address
	}{
		"9 addresses with 27 each, leaving at 29 s": {all: 1, slow: 1, attack: func(s *simulation) {
			for i := range 9 * 27 {
				from := netip.AddrFrom4([4]byte{10, byte(i % 9), 0, 1})
				s.attacker(time.Duration(i)*7*time.Millisecond, 29*time.Second+time.Millisecond, -1, 29*time.Second, func() netip.Addr { return from })
			}
		}},
		"an IPv6 /48, 1000 a second": {all: 1, slow: 1, attack: func(s *simulation) {
			s.attacker(0, time.Millisecond, -1, grace, func() netip.Addr {
				return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0, byte(s.random.Uint32()), byte(s.random.Uint32()), 15: 1})
			})
		}},
		"300 networks, 1 a second each, keys and then idle": {all: 1, slow: 1, attack: func(s *simulation) {
			for i := range 300 {
				s.attacker(time.Duration(i)*time.Second/300, time.Second, 50*time.Millisecond, grace, one(i))
			}
		}},
		"one /24, 250 a second": {all: 1, slow: 1, attack: func(s *simulation) {
			s.attacker(0, time.Second/250, -1, grace, func() netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(s.random.Uint32())}) })
		}},
		"a NAT with an insider, 20 a second, and 300 networks": {all: 0.95, slow: 0.95, behindNAT: 0.69, attack: func(s *simulation) {
			s.attacker(0, time.Second/20, 50*time.Millisecond, grace, func() netip.Addr { return nat })
			for i := range 300 {
				s.attacker(time.Duration(i)*time.Second/300, time.Second, 50*time.Millisecond, grace, one(i))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulation(1)
			test.attack(s)
			s.honest(10, 60*time.Millisecond, &s.quick, func() netip.Addr { return stranger(s) })
			s.honest(2, 5*time.Second, &s.slow, func() netip.Addr { return stranger(s) })
			if test.behindNAT > 0 {
				s.honest(1, 60*time.Millisecond, &s.behind, func() netip.Addr { return nat })
			}
			s.run(warmUp + 30*time.Second)
			t.Logf("served: %v, slow ones %v, behind the NAT %v", s.quick, s.slow, s.behind)
			if s.quick.share() < test.all || s.slow.share() < test.slow || s.behind.share() < test.behindNAT {
				t.Errorf("too few are served")
			}
			if s.quick.of < 200 || s.slow.of < 30 {
				t.Errorf("hardly anybody came")
			}
		})
	}
}

// Without a memory of debts the same attack leaves few.
func TestAttackWithoutMemory(t *testing.T) {
	s := newSimulation(1)
	s.table.rules.Exempt = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	for i := range 300 {
		s.attacker(time.Duration(i)*time.Second/300, time.Second, 50*time.Millisecond, grace, one(i))
	}
	s.honest(2, 5*time.Second, &s.slow, func() netip.Addr { return stranger(s) })
	s.run(warmUp + 30*time.Second)
	if share := s.slow.share(); share > 0.5 {
		t.Errorf("%.2f are served: the simulation shows nothing", share)
	}
}

const (
	grace  = 30 * time.Second // the login grace time
	warmUp = 30 * time.Second // how long the attack has gone on when the honest come
)

var nat = netip.MustParseAddr("203.0.113.1")

// one is a network of its own for each number.
func one(i int) func() netip.Addr {
	i *= 7919 // so that neighbours are not of one /16
	return func() netip.Addr { return netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 1}) }
}

// stranger is an address that nobody has come from yet.
func stranger(s *simulation) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(100 + s.random.IntN(50)), byte(s.random.Uint32()), byte(s.random.Uint32()), byte(s.random.Uint32())})
}

// served counts logins.
type served struct{ ok, of int }

func (s served) share() float64 { return float64(s.ok) / float64(max(s.of, 1)) }

// simulation is a table, and what happens to it at which time.
type simulation struct {
	table               *Table
	random              *rand.Rand
	now                 time.Duration
	events              events
	quick, slow, behind served
}

func newSimulation(seed uint64) *simulation {
	s := &simulation{random: rand.New(rand.NewPCG(seed, 1))}
	s.table = newTable(Rules{Max: 500, BitsIPv4: 32, BitsIPv6: 64}, 1, func() time.Duration { return s.now }, rand.New(rand.NewPCG(seed, 2)))
	return s
}

func (s *simulation) run(until time.Duration) {
	for len(s.events) > 0 {
		e := heap.Pop(&s.events).(event)
		if s.now = e.at; s.now > until {
			return
		}
		e.do()
	}
}

func (s *simulation) after(d time.Duration, do func()) {
	heap.Push(&s.events, event{s.now + d, do})
}

// attacker enters again and again, exchanges keys unless that takes less than no
// time, and holds what it gets.
func (s *simulation) attacker(start, every, exchange, hold time.Duration, from func() netip.Addr) {
	var again func()
	again = func() {
		s.after(every, again)
		slot, err := s.table.Enter(from(), func() {})
		if err != nil {
			return
		}
		s.after(hold, slot.Leave)
		if exchange >= 0 {
			s.after(exchange, func() {
				if !slot.Exchange() {
					slot.Leave()
				}
			})
		}
	}
	s.after(start, again)
}

// honest has so many people a second log in, which takes them a while.
func (s *simulation) honest(perSecond float64, takes time.Duration, count *served, from func() netip.Addr) {
	var next func()
	next = func() {
		s.after(time.Duration(s.random.ExpFloat64()/perSecond*float64(time.Second)), next)
		gone := false
		slot, err := s.table.Enter(from(), func() { gone = true })
		if err != nil {
			count.of++
			return
		}
		s.after(50*time.Millisecond, func() { gone = gone || !slot.Exchange() })
		s.after(takes, func() {
			count.of++
			if gone {
				slot.Leave()
				return
			}
			slot.Login()
			count.ok++
		})
	}
	s.after(warmUp, next)
}

// events are those to come, the next first.
type events []event

type event struct {
	at time.Duration
	do func()
}

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
