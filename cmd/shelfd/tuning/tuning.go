// Package tuning adjusts the Go runtime to the load of a server: how much memory
// the process holds, and how many processors it uses.
//
//	tuning.go      Start
//	memory.go      memory, by the garbage collector
//	processors.go  processors, by GOMAXPROCS
package tuning

import (
	"context"
	"sync"
)

// Start adjusts the runtime until stop is called. The process tries to stay
// within memoryLimit bytes; connections says how many there are now. What the
// environment sets (GOGC, GOMEMLIMIT, GOMAXPROCS) is left alone.
func Start(memoryLimit int64, connections func() int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	memory, processors := newMemory(memoryLimit), newProcessors(connections)
	var running sync.WaitGroup
	running.Go(func() { memory.watch(ctx) })
	running.Go(func() { processors.watch(ctx) })
	return func() { cancel(); running.Wait() }
}
