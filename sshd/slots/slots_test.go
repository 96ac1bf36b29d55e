package slots

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// testTable is a table with a clock that stands still and dice with a seed.
func testTable(rules Rules) (*Table, *time.Duration) {
	now := new(time.Duration)
	if rules.BitsIPv4 == 0 {
		rules.BitsIPv4, rules.BitsIPv6 = 32, 64
	}
	return newTable(rules, 1, func() time.Duration { return *now }, rand.New(rand.NewPCG(1, 2))), now
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// enter enters, and leaves in gone whether the slot was taken away again.
func enter(t *testing.T, table *Table, from string, gone *bool) *Slot {
	t.Helper()
	s, err := table.Enter(addr(from), func() {
		if gone != nil {
			*gone = true
		}
	})
	if err != nil {
		t.Fatalf("%s: %v", from, err)
	}
	return s
}

func (t *Table) weightOf(from string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.weight(t.nets(addr(from), t.rules))
}

// What weighs how much: entries that led to no login, by address and by the
// networks around it, until they have faded.
func TestWeight(t *testing.T) {
	for name, test := range map[string]struct {
		entries []string // addresses, each of which enters once and leaves
		after   time.Duration
		want    map[string]int
	}{
		"nobody":          {nil, 0, map[string]int{"192.0.2.1": 0}},
		"one":             {[]string{"192.0.2.1"}, 0, map[string]int{"192.0.2.1": 1, "192.0.2.2": 0, "2001:db8::1": 0}},
		"one a while ago": {[]string{"192.0.2.1"}, halfLife + time.Minute, map[string]int{"192.0.2.1": 0}},
		"again":           {repeat("192.0.2.1", 4), 0, map[string]int{"192.0.2.1": 3, "192.0.2.2": 0}},
		"often":           {repeat("192.0.2.1", 15), 0, map[string]int{"192.0.2.1": 4, "192.0.2.2": 1, "192.0.3.1": 0}},
		"without end":     {repeat("192.0.2.1", 5000), 0, map[string]int{"192.0.2.1": 5, "192.0.2.2": 5, "192.0.9.1": 5, "192.1.0.1": 0}},
		"a /24":           {each("192.0.2.%d", 64), 0, map[string]int{"192.0.2.200": 3, "192.0.3.1": 0}},
		"IPv6":            {repeat("2001:db8::1", 4), 0, map[string]int{"2001:db8::ffff": 3, "2001:db8:0:1::": 0}},
		"a /48":           {each("2001:db8:0:%x::1", 64), 0, map[string]int{"2001:db8:0:ff::1": 3, "2001:db8:1::1": 0}},
	} {
		t.Run(name, func(t *testing.T) {
			table, now := testTable(Rules{Max: 10})
			for _, from := range test.entries {
				enter(t, table, from, nil).Leave()
			}
			*now += test.after
			for from, want := range test.want {
				if got := table.weightOf(from); got != want {
					t.Errorf("%s weighs %d, want %d", from, got, want)
				}
			}
		})
	}
}

func repeat(from string, n int) (all []string) {
	for range n {
		all = append(all, from)
	}
	return all
}

func each(format string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}

// A login pays the entry back and makes its networks known, but not the widest;
// a known network goes first until it owes too much.
func TestLoginIsCredited(t *testing.T) {
	table, _ := testTable(Rules{Max: 10})
	enter(t, table, "192.0.2.1", nil).Login()
	for from, want := range map[string]int{"192.0.2.1": -1, "192.0.2.9": -1, "192.0.3.1": 0} {
		if got := table.weightOf(from); got != want {
			t.Errorf("%s weighs %d, want %d", from, got, want)
		}
	}
	for range creditLimit {
		enter(t, table, "192.0.2.1", nil).Leave()
	}
	if got := table.weightOf("192.0.2.1"); got != -1 {
		t.Errorf("with a debt of %d it weighs %d", creditLimit, got)
	}
	enter(t, table, "192.0.2.1", nil).Leave()
	if got := table.weightOf("192.0.2.1"); got != heaviest {
		t.Errorf("with a greater debt it weighs %d", got)
	}
}

// When all slots are taken, the one who owes most has to go, and of several such
// the one who came first; who owes more than all others is refused.
func TestFullTable(t *testing.T) {
	table, now := testTable(Rules{Max: 3})
	var heavy, old, young bool
	for range 3 {
		enter(t, table, "192.0.2.1", nil).Leave()
	}
	enter(t, table, "192.0.2.1", &heavy)
	*now += time.Second
	oldest := enter(t, table, "198.51.100.1", &old)
	*now += time.Second
	enter(t, table, "203.0.113.1", &young)
	enter(t, table, "10.1.0.1", nil)
	if !heavy || old || young {
		t.Fatalf("the heavy one is gone: %v, the light ones: %v, %v", heavy, old, young)
	}
	if _, err := table.Enter(addr("192.0.2.1"), nil); !errors.Is(err, ErrFull) {
		t.Errorf("the heavy one comes again: %v", err)
	}
	*now += time.Second
	enter(t, table, "10.2.0.1", nil)
	if !old || young {
		t.Errorf("the first of equals is gone: %v, a later one: %v", old, young)
	}
	oldest.Leave() // which was taken away already
	if n := table.Waiting(); n != 3 {
		t.Errorf("%d wait", n)
	}
}

func TestExemptOweNothing(t *testing.T) {
	table, _ := testTable(Rules{Max: 10, Exempt: []netip.Prefix{netip.MustParsePrefix("2001:db8::7/128")}})
	for range 100 {
		enter(t, table, "2001:db8::7", nil).Leave()
	}
	if got := table.weightOf("2001:db8::7"); got != 0 {
		t.Errorf("it weighs %d", got)
	}
}

func TestPerSource(t *testing.T) {
	table, _ := testTable(Rules{Max: 10, PerSource: 2})
	first := enter(t, table, "2001:db8::1", nil)
	enter(t, table, "2001:db8::2", nil)
	if _, err := table.Enter(addr("2001:db8::3"), nil); err == nil {
		t.Error("a third of one network is let in")
	}
	enter(t, table, "2001:db8:0:1::3", nil)
	first.Login()
	enter(t, table, "2001:db8::3", nil)
}

// Without a token only those exchange keys who are lighter than most.
func TestExchange(t *testing.T) {
	table, now := testTable(Rules{Max: 1000})
	for i := range 300 {
		for range 3 {
			enter(t, table, fmt.Sprintf("10.%d.0.1", i%200), nil)
		}
	}
	heavy, light := enter(t, table, "10.1.0.1", nil), enter(t, table, "192.0.2.1", nil)
	granted := 0
	for heavy.Exchange() {
		granted++
	}
	if want := int(exchangesPerCore * burst.Seconds()); granted != want {
		t.Errorf("%d at once, want %d", granted, want)
	}
	if !light.Exchange() {
		t.Error("a light one has to wait")
	}
	*now += 10 * time.Millisecond
	granted = 0
	for heavy.Exchange() {
		granted++
	}
	if want := exchangesPerCore / 100; granted != want {
		t.Errorf("%d after 10 ms, want %d", granted, want)
	}
}

// A connection through a proxy is its client's from when that is known.
func TestMove(t *testing.T) {
	table, _ := testTable(Rules{Max: 2, PerSource: 1})
	var gone bool
	s, err := table.Enter(netip.Addr{}, func() { gone = true })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Move(addr("192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	other, err := table.Enter(netip.Addr{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Move(addr("192.0.2.1")); err == nil {
		t.Error("a second of one source is let in")
	}
	for range 5 {
		enter(t, table, "198.51.100.1", nil).Leave()
	}
	if other, err = table.Enter(netip.Addr{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := other.Move(addr("198.51.100.1")); !errors.Is(err, ErrFull) {
		t.Errorf("one who owes gets a slot in a full table: %v", err)
	}
	if table.Waiting() != 1 || gone || table.weightOf("192.0.2.1") != 2 {
		t.Errorf("%d wait, the first is gone: %v", table.Waiting(), gone)
	}
}

// However many networks come, so many are remembered: those that owe most.
func TestMemoryIsBounded(t *testing.T) {
	table, _ := testTable(Rules{Max: 10})
	table.debts.limit, table.known.limit = 300, 50
	for range 40 {
		enter(t, table, "203.0.113.1", nil).Leave()
	}
	for i := range 5_000 {
		enter(t, table, fmt.Sprintf("10.%d.%d.1", i/250, i%250), nil).Login()
	}
	for i := range 5_000 {
		enter(t, table, fmt.Sprintf("11.%d.%d.1", i/250, i%250), nil).Leave()
	}
	for _, m := range []*memory{table.debts, table.known} {
		if len(m.all) != m.limit || len(m.index) != m.limit {
			t.Errorf("%d records and %d in the index, want %d", len(m.all), len(m.index), m.limit)
		}
	}
	if got := table.weightOf("203.0.113.1"); got != heaviest {
		t.Errorf("who owes most weighs %d", got)
	}
}

// BenchmarkEnter is one connection that comes to a full table.
func BenchmarkEnter(b *testing.B) {
	table := New(Rules{Max: 500, BitsIPv4: 32, BitsIPv6: 64}, 1)
	i := uint32(0)
	for b.Loop() {
		i += 2654435761
		table.Enter(netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}), func() {})
	}
}
