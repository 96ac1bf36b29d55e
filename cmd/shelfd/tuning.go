package main

import (
	"context"
	"sync"

	"shelf/cmd/shelfd/config"
)

// tuning is the part that adjusts the Go runtime to the load: how much memory
// the process holds and how many processors it uses.
type tuning struct {
	connections func() int // how many there are

	stop    context.CancelFunc
	running sync.WaitGroup
}

func (t *tuning) check(config.Settings) error { return nil }

func (t *tuning) open(s config.Settings) error {
	ctx, stop := context.WithCancel(context.Background()) // until close
	t.stop = stop
	memory, processors := newMemory(s.MemoryLimit.Bytes), newProcessors(t.connections)
	t.running.Go(func() { memory.watch(ctx) })
	t.running.Go(func() { processors.watch(ctx) })
	return nil
}

func (t *tuning) reload(_, _ config.Settings) (func() error, error) { return nil, nil }

func (t *tuning) close() {
	t.stop()
	t.running.Wait()
}
