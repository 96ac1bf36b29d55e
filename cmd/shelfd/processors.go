package main

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	// processorsPoll is how often the processor time used is looked at, but for a
	// server without connections.
	processorsPoll = 100 * time.Millisecond

	// fullUse is the share of its processors that a server must use to be given
	// more, and may use of half of them to be left with half.
	fullUse = 0.95
)

// processors keeps the server on as few processors as it can fill.
//
// A packet passes through four goroutines. On one processor each finds the
// packet in the cache and nobody has to be woken; spread over two, an upload
// costs two fifths more processor time, and is slower for it while the machine
// has something else to do. So a server that one client keeps less than busy
// runs on one. It has two for several clients, since one's fsync may hold up a
// processor for a moment, and twice as many whenever it fills those it has.
type processors struct {
	most  int        // all there are for this process
	conns func() int // how many connections there are
	set   func(n int) int

	now  int           // in use
	used time.Duration // processor time, by the last look
	at   time.Time     // when that was
}

// newProcessors leaves the number of processors alone if the environment says
// it.
func newProcessors(conns func() int) *processors {
	most := runtime.GOMAXPROCS(0)
	p := &processors{most: most, now: most, conns: conns, set: runtime.GOMAXPROCS, used: cpuTime(), at: time.Now()}
	if os.Getenv("GOMAXPROCS") != "" {
		p.most = 1
	}
	return p
}

// watch adjusts until ctx ends. When there is nothing to do it looks once a second.
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

// adjust is told how much processor time the process has used by now.
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
