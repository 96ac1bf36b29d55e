package main

import (
	"runtime"
	"testing"
)

func TestMemoryLimitStaysAboveWhatLives(t *testing.T) {
	var set []int64
	m := &memory{limit: 100, set: func(n int64) int64 { set = append(set, n); return 0 }}
	for _, live := range []int64{0, 10, 50, 60, 60, 200, 10} {
		m.adjust(live)
	}
	want := []int64{100, 120, 400, 100}
	if len(set) != len(want) {
		t.Fatalf("the limit was set to %v, want %v", set, want)
	}
	for i := range want {
		if set[i] != want[i] {
			t.Fatalf("the limit was set to %v, want %v", set, want)
		}
	}
	none := &memory{set: func(int64) int64 { t.Error("a limit was set that is the environment's"); return 0 }}
	none.adjust(1000)
}

func TestMemoryIsGivenBackOnceWhenIdle(t *testing.T) {
	conns, freed := 0, 0
	m := &memory{conns: func() int { return conns }, free: func() { freed++ }}
	for _, step := range []struct{ conns, freed int }{{0, 0}, {3, 0}, {1, 0}, {0, 1}, {0, 1}, {2, 1}, {0, 2}} {
		conns = step.conns
		if m.rest(); freed != step.freed {
			t.Fatalf("with %d connections memory was given back %d times, want %d", conns, freed, step.freed)
		}
	}
}

func TestLiveBytes(t *testing.T) {
	runtime.GC()
	if liveBytes() <= 0 {
		t.Error("the runtime does not tell what lives")
	}
}
