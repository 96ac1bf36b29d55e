package main

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

	// quietBytes is how much is allocated from one look to the next, at most,
	// by a server that rests, in bytes.
	quietBytes = 8 << 20
)

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
// What a crowd leaves behind is given back when the server rests, be they still
// connected: nothing else would, since no collection runs where nothing is
// allocated.
type memory struct {
	limit int64 // bytes: the least soft limit; 0 is to leave it alone
	set   func(limit int64) int64
	free  func()

	applied   int64
	allocated uint64 // bytes, by the last look
	busy      bool   // since memory was last given back
}

// newMemory sets how the collector works, unless the environment does.
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

// rest gives back, once, what a server holds that has become quiet; allocated
// is how many bytes it has allocated by now, in all.
func (m *memory) rest(allocated uint64) {
	quiet := allocated-m.allocated <= quietBytes
	m.allocated = allocated
	if quiet && m.busy {
		m.free()
	}
	m.busy = !quiet
}

// heapBytes is one of the runtime's metrics: live, what the last collection
// found in use; stacks, what goroutines take besides; allocs, all that was ever
// allocated.
func heapBytes(metric string) uint64 {
	sample := []metrics.Sample{{Name: metric}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
