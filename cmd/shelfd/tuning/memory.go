package tuning

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// memoryPoll is how often the memory in use is looked at.
	memoryPoll = 5 * time.Second

	// lowLimit is the least soft limit, in bytes, where a larger one is allowed.
	lowLimit = 112 << 20

	// leastRoom is how much, in bytes, may be allocated at least from one collection to
	// the next: with little the collector would take much of a processor. With 32 slow
	// uploads, of which 67 MiB live, lowLimit leaves as much.
	leastRoom = 40 << 20

	// quietBytes is the most, in bytes, that a quiet server allocates from one
	// look to the next.
	quietBytes = 8 << 20
)

// memory keeps what the process holds near what it needs.
//
// A server that copies files has a small heap, through which much passes. So the
// garbage collector may let the heap grow threefold (GOGC=200): an upload then
// takes a seventh less processor time than with the usual 100. With 400 it would
// take another sixteenth less, but the heap would never be below 16 MiB.
//
// After many uploads at once, a heap of hundreds of MiB is left, of which a few
// MiB live. A soft limit makes the collector work harder when the heap reaches
// it. The limit must stay well above what lives, or the collector would never
// pause. So it is twice what lives, if that is more, and is lowered again.
//
// Long before that, when clients send faster than a disk or a store takes it, most of
// what lives is data that waits, 2 MiB of each upload. Such data costs the collector
// next to nothing, and 32 uploads of that kind made the process three times as large
// as they are. So the limit is low as long as what lives is well below it.
//
// When the server is quiet, what is left is given back to the system. The
// collector would not do that: it does not run while nothing is allocated.
type memory struct {
	limit int64 // bytes: the least soft limit; 0 is to leave it alone
	set   func(limit int64) int64
	free  func()

	applied   int64
	allocated uint64 // bytes, by the last look
	busy      bool   // not quiet since memory was last given back
}

// newMemory sets up the garbage collector, unless the environment does.
func newMemory(limit int64) *memory {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		limit = 0
	}
	return &memory{limit: limit, set: debug.SetMemoryLimit, free: debug.FreeOSMemory}
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
			m.adjust(int64(heapBytes("/gc/heap/live:bytes") + heapBytes("/memory/classes/heap/stacks:bytes")))
			m.rest(heapBytes("/gc/heap/allocs:bytes"))
		}
	}
}

// adjust keeps the limit low while what lives is, and then at twice that or more.
func (m *memory) adjust(live int64) {
	if m.limit == 0 {
		return
	}
	want := max(min(m.limit, lowLimit), live+max(live/4, leastRoom))
	if want > m.limit {
		want = max(m.limit, 2*live)
	}
	if want != m.applied {
		m.applied = want
		m.set(want)
	}
}

// rest gives memory back, once, when the server has become quiet. allocated is
// how many bytes were allocated since the start.
func (m *memory) rest(allocated uint64) {
	quiet := allocated-m.allocated <= quietBytes
	m.allocated = allocated
	if quiet && m.busy {
		m.free()
	}
	m.busy = !quiet
}

// heapBytes reads a metric of the runtime: what the last collection found in use
// (live), what goroutines take (stacks), all that was ever allocated (allocs).
func heapBytes(metric string) uint64 {
	sample := []metrics.Sample{{Name: metric}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
