package tuning

import (
	"runtime"
	"slices"
	"testing"
)

func TestMemoryLimitStaysAboveWhatLives(t *testing.T) {
	var set []int64
	const mib = 1 << 20
	m := &memory{limit: 100 * mib, set: func(n int64) int64 { set = append(set, n/mib); return 0 }}
	for _, live := range []int64{0, 10, 50, 60, 60, 200, 10} {
		m.adjust(live * mib)
	}
	want := []int64{100, 400, 100}
	if len(set) != len(want) {
		t.Fatalf("the limit was set to %v, want %v", set, want)
	}
	for i := range want {
		if set[i] != want[i] {
			t.Fatalf("the limit was set to %v, want %v", set, want)
		}
	}
	set = nil
	m = &memory{limit: 256 * mib, set: func(n int64) int64 { set = append(set, n/mib); return 0 }}
	for _, live := range []int64{0, 70, 100, 200, 210, 70} {
		m.adjust(live * mib)
	}
	if want := []int64{112, 140, 250, 420, 112}; !slices.Equal(set, want) {
		t.Errorf("of 256 MiB the limit was set to %v, want %v", set, want)
	}
	none := &memory{set: func(int64) int64 { t.Error("a limit was set that is the environment's"); return 0 }}
	none.adjust(1000)
}

func TestMemoryIsGivenBackWhenTheServerRests(t *testing.T) {
	freed := 0
	m := &memory{free: func() { freed++ }}
	const busy = quietBytes + 1
	allocated := uint64(0)
	for i, step := range []struct {
		allocates uint64
		freed     int
	}{{0, 0}, {busy, 0}, {busy, 0}, {quietBytes, 1}, {0, 1}, {quietBytes, 1}, {busy, 1}, {0, 2}, {0, 2}} {
		allocated += step.allocates
		if m.rest(allocated); freed != step.freed {
			t.Fatalf("step %d: memory was given back %d times, want %d", i, freed, step.freed)
		}
	}
}

func TestHeapBytes(t *testing.T) {
	runtime.GC()
	for _, metric := range []string{"/gc/heap/live:bytes", "/gc/heap/allocs:bytes"} {
		if heapBytes(metric) == 0 {
			t.Errorf("the runtime does not tell %s", metric)
		}
	}
}
