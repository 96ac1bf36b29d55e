package tuning

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	// processorsPoll is how often a server with connections looks at the
	// processor time that it has used.
	processorsPoll = 100 * time.Millisecond

	// fullUse is the share of its processors that a server uses when it gets more
	// of them. When it uses less than this share of half of them, it gets half.
	fullUse = 0.95
)

// processors keeps the server on as few processors as it can fill.
//
// A packet passes through four goroutines. On one processor, each finds the
// packet in the cache, and none has to be woken on another processor. On two, an
// upload takes two fifths more processor time, and is slower when the machine has
// other work. So the server starts with one processor for one client, and with
// two for several, since an fsync can hold up a processor for a moment. Whenever
// it fills those that it has, it gets twice as many.
type processors struct {
	most  int        // the most that this process may use
	conns func() int // how many connections there are
	set   func(n int) int

	now  int           // in use
	used time.Duration // processor time, by the last look
	at   time.Time     // when that was
}

// newProcessors leaves the number of processors alone if the environment sets
// it.
func newProcessors(conns func() int) *processors {
	most := runtime.GOMAXPROCS(0)
	p := &processors{most: most, now: most, conns: conns, set: runtime.GOMAXPROCS, used: cpuTime(), at: time.Now()}
	if os.Getenv("GOMAXPROCS") != "" {
		p.most = 1
	}
	return p
}

// watch adjusts until ctx ends. Without connections it looks once a second.
func (p *processors) watch(ctx context.Context) {
	if p.most == 1 {
		return
	}
	for {
		pause := processorsPoll
		if p.now == 1 && p.conns() == 0 {
			pause = time.Second
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
			p.adjust(time.Now(), cpuTime())
		}
	}
}

// adjust sets the number of processors; used is the processor time that the
// process has used since its start.
func (p *processors) adjust(now time.Time, used time.Duration) {
	busy := float64(used-p.used) / float64(now.Sub(p.at)) // processors' worth
	p.used, p.at = used, now
	n := p.now
	switch {
	case busy >= fullUse*float64(n):
		n *= 2
	case busy < fullUse*float64(n/2):
		n /= 2
	}
	if n = min(max(n, p.least()), p.most); n != p.now {
		p.now = n
		p.set(n)
	}
}

func (p *processors) least() int {
	if p.conns() > 1 {
		return 2
	}
	return 1
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
