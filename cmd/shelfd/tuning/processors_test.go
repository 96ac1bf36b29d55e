package tuning

import (
	"testing"
	"time"
)

// The server takes as many processors as it fills, and no more.
func TestProcessorsFollowUse(t *testing.T) {
	conns, inUse := 1, 8
	now, used := time.Unix(0, 0), time.Duration(0)
	p := &processors{most: 8, now: 8, at: now, conns: func() int { return conns }, set: func(n int) int { inUse = n; return 0 }}
	for i, step := range []struct {
		conns int
		busy  float64 // processors' worth
		want  int
	}{
		{1, 0.9, 4}, {1, 0.9, 2}, {1, 0.9, 1}, {1, 0.9, 1}, // one client that does not fill one
		{1, 1, 2}, {1, 1.4, 2}, {1, 0.9, 1}, // one that does
		{2, 0.1, 2}, {9, 0.1, 2}, // several
		{9, 2, 4}, {9, 4, 8}, {9, 8, 8}, // up to all
		{9, 5, 8}, {9, 3, 4}, {0, 0, 2}, {0, 0, 1},
	} {
		conns = step.conns
		now = now.Add(processorsPoll)
		used += time.Duration(step.busy * float64(processorsPoll))
		if p.adjust(now, used); inUse != step.want {
			t.Fatalf("step %d: %d processors, want %d", i, inUse, step.want)
		}
	}
}

func TestCPUTime(t *testing.T) {
	before := cpuTime()
	for cpuTime() == before {
	}
}
