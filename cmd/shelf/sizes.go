package main

import (
	"context"
	"os"
	"sync"
)

// measure finds out in the background how much there is to move in all, for the
// bar that shows it. stop ends that.
func (t *transfers) measure(ctx context.Context) (stop func()) {
	if t.bars == nil || t.bars.total == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var measuring sync.WaitGroup
	measuring.Go(func() {
		sizeOf := sizing(sizeHere)
		if t.command == "get" {
			sizeOf = t.sizeThere()
		}
		for _, one := range t.all {
			if one.known != nil || ctx.Err() != nil {
				continue
			}
			if size, err := sizeOf(ctx, one.name); err == nil {
				t.bars.expect(one.meter, size)
			}
		}
	})
	return func() { cancel(); measuring.Wait() }
}

// sizing tells how long a file is before its transfer begins.
type sizing func(ctx context.Context, name string) (int64, error)

func sizeHere(_ context.Context, file string) (int64, error) {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return 0, err
	}
	return info.Size(), nil
}

// sizeThere knows it from the listing that a pattern needed, if there was one,
// and asks the server otherwise.
func (s *shell) sizeThere() sizing {
	listed := make(map[string]int64)
	files, _ := s.names.get()
	for _, e := range files {
		listed[e.name] = e.size
	}
	return func(ctx context.Context, name string) (int64, error) {
		if size, ok := listed[name]; ok {
			return size, nil
		}
		a, err := s.remote.ask.stat(ctx, s.remote.path(name))
		return a.size, err
	}
}
