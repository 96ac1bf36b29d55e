package slots

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	maxDebts = 256 << 10 // networks that owe, of which there may be many
	maxKnown = 16 << 10  // networks that somebody logged in from
)

// record is what is remembered of a network.
type record struct {
	net  uint64
	debt float64       // of that time
	at   time.Duration // when it last changed
}

// faded is what is left of the debt.
func (r *record) faded(now time.Duration) float64 {
	if r.debt == 0 {
		return 0
	}
	return r.debt * math.Exp2(-float64(now-r.at)/float64(halfLife))
}

// memory is records of networks, of which it holds no more than a limit.
type memory struct {
	limit int
	index map[uint64]int32 // where in all the record of a network is
	all   []record
}

func newMemory(limit int) *memory {
	return &memory{limit: limit, index: make(map[uint64]int32)}
}

// get is the record of a network, or nil. It is good until the next put.
func (m *memory) get(net uint64) *record {
	if i, ok := m.index[net]; ok {
		return &m.all[i]
	}
	return nil
}

// put makes a record for a network that has none. If there is no room it
// removes the smallest of a few records drawn by lot.
func (m *memory) put(net uint64, random *rand.Rand, less func(a, b *record) bool) *record {
	if len(m.all) < m.limit {
		m.all = append(m.all, record{})
		m.index[net] = int32(len(m.all) - 1)
		m.all[len(m.all)-1].net = net
		return &m.all[len(m.all)-1]
	}
	least := random.IntN(len(m.all))
	for range sample - 1 {
		if i := random.IntN(len(m.all)); less(&m.all[i], &m.all[least]) {
			least = i
		}
	}
	delete(m.index, m.all[least].net)
	m.index[net] = int32(least)
	m.all[least] = record{net: net}
	return &m.all[least]
}
