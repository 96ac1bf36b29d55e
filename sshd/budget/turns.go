package budget

import (
	"context"
	"slices"
	"sync"
)

// Turns lets so many work at a time. Who waits is called by turns: of each account,
// or whatever the names stand for, one after the other. So a name that a thousand
// wait for gets no more than one that a single one waits for. Work that may take
// long is to be done in pieces, with a turn for each.
type Turns struct {
	mu      sync.Mutex
	free    int                        // mu
	waiting map[string][]chan struct{} // by name, the first comes first; mu
	next    []string                   // the names that wait, in the order in which they are called; mu
}

// NewTurns lets n work at a time.
func NewTurns(n int) *Turns {
	return &Turns{free: n, waiting: make(map[string][]chan struct{})}
}

// Take waits for a turn, and returns what ends it. The error is that of ctx.
func (t *Turns) Take(ctx context.Context, name string) (end func(), err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	called, now := t.enter(name)
	if now {
		return t.end, nil
	}
	select {
	case <-called:
		return t.end, nil
	case <-ctx.Done():
		t.giveUp(name, called)
		return nil, context.Cause(ctx)
	}
}

// enter takes a turn, if one is free, or a place in the queue of its name.
func (t *Turns) enter(name string) (called chan struct{}, now bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 {
		t.free--
		return nil, true
	}
	called = make(chan struct{})
	if len(t.waiting[name]) == 0 {
		t.next = append(t.next, name)
	}
	t.waiting[name] = append(t.waiting[name], called)
	return called, false
}

// giveUp leaves the queue. Who was called meanwhile calls the next one.
func (t *Turns) giveUp(name string, called chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := t.waiting[name]
	if at := slices.Index(queue, called); at >= 0 {
		t.keep(name, slices.Delete(queue, at, at+1))
		return
	}
	t.call()
}

func (t *Turns) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.call()
}

// call calls the first of the next name, which then is the last of the names. mu
// is held.
func (t *Turns) call() {
	if len(t.next) == 0 {
		t.free++
		return
	}
	name := t.next[0]
	queue := t.waiting[name]
	close(queue[0])
	t.next = append(t.next[1:], name)
	t.keep(name, queue[1:])
}

// keep sets the queue of a name. mu is held.
func (t *Turns) keep(name string, queue []chan struct{}) {
	t.waiting[name] = queue
	if len(queue) == 0 {
		delete(t.waiting, name)
		t.next = slices.DeleteFunc(t.next, func(n string) bool { return n == name })
	}
}
