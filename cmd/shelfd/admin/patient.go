package admin

import (
	"errors"
	"sync"
	"time"
)

// ErrSlow is that something has not answered in time, such as a disk.
var ErrSlow = errors.New("it does not answer")

// Patient asks something that may take for ever. Only one question is under way at
// a time; who asks meanwhile waits for its answer, but no longer than is good for a
// probe. The zero value is ready for use.
type Patient[T any] struct {
	Fresh time.Duration // how long an answer is good; not that of an error

	mu     sync.Mutex
	asking *question[T] // the last one; nil is that an answer is not good any more; mu
	until  time.Time    // the answer of asking is good, if it has one; mu
	last   T            // answer; mu
}

type question[T any] struct {
	done  chan struct{} // closed when value and err are set
	value T
	err   error
}

// patience is how long who asks waits.
const patience = 2 * time.Second

// Ask returns the answer. If there is none in time, it is the last one, with
// ErrSlow.
func (p *Patient[T]) Ask(ask func() (T, error)) (T, error) {
	q := p.begin(ask)
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-q.done:
		return q.value, q.err
	case <-late.C:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.last, ErrSlow
	}
}

func (p *Patient[T]) begin(ask func() (T, error)) *question[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asking != nil && (p.until.IsZero() || time.Now().Before(p.until)) {
		return p.asking
	}
	q := &question[T]{done: make(chan struct{})}
	p.asking, p.until = q, time.Time{}
	go func() {
		q.value, q.err = ask()
		p.mu.Lock()
		defer p.mu.Unlock()
		defer close(q.done)
		p.last, p.until = q.value, time.Now().Add(p.Fresh)
		if q.err != nil {
			p.asking = nil
		}
	}()
	return q
}
