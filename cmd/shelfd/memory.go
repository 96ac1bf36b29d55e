package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// memoryPoll is how often the memory in use is looked at.
const memoryPoll = 5 * time.Second

// memory keeps what the process holds near what it needs.
//
// The heap of a server that copies files is small next to what passes through
// it, so the collector is told to let it grow threefold (GOGC=200): an upload
// then costs a seventh less processor time than at the runtime's 100. At 400 it
// would be another sixteenth, for a heap that is never below 16 MiB, be it only
// to list a large library. But a crowd of uploads then leaves behind a heap of
// hundreds of MiB for some MiB that live. A soft limit makes the collector work
// harder only when that much is reached, and gives the rest back. It must stay
// well above what lives, or the collector would run without pause: so it is
// raised to twice that when clients really need so much, and lowered again.
type memory struct {
	limit int64      // bytes: the least soft limit; 0 is to leave it alone
	conns func() int // how many connections there are
	set   func(limit int64) int64
	free  func()

	applied int64
	busy    bool // there were connections since memory was last given back
}

// newMemory sets how the collector works, unless the environment does.
func newMemory(limit int64, conns func() int) *memory {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		limit = 0
	}
	return &memory{limit: limit, conns: conns, set: debug.SetMemoryLimit, free: debug.FreeOSMemory}
}

// watch adjusts until ctx ends.
func (m *memory) watch(ctx context.Context) {
	m.adjust(0)
	tick := time.NewTicker(memoryPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.adjust(liveBytes())
			m.rest()
		}
	}
}

// adjust keeps the limit at twice what lives or more.
func (m *memory) adjust(live int64) {
	if m.limit == 0 {
		return
	}
	if want := max(m.limit, 2*live); want != m.applied {
		m.applied = want
		m.set(want)
	}
}

// rest gives back, once, what a server without connections holds.
func (m *memory) rest() {
	idle := m.conns() == 0
	if idle && m.busy {
		m.free()
	}
	m.busy = !idle
}

// liveBytes is what the last collection found in use.
func liveBytes() int64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(live[0].Value.Uint64())
}
