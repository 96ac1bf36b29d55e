package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A count goes on while the nodes do. What one adds meanwhile may be counted or not,
// and what it removes or moves, too. So it has two phases:
//
//	gathering  Each node folds in what it has added until then. What it adds later it
//	           adds to what is counted, and notes what goes or moves from then on.
//	telling    It has been counted. Each node tells what it has noted: the count may
//	           have missed that, so it is added.
//
// So what is counted is never less than what is there, and it is right if nothing
// changed meanwhile.
const (
	gathering = 1
	telling   = 2
)

// answer answers who counts; mu is held.
func (l *Ledger) answer(p *page, e *entry) {
	if p.Count == "" {
		return
	}
	if l.count != p.Count {
		l.count, l.passed = p.Count, l.moving
	}
	if e.Count != p.Count {
		e.Count, e.Phase, e.Passed = p.Count, gathering, Amount{}
		p.Base = p.Base.plus(l.added).minus(e.Folded)
		e.Folded = l.added
	}
	if p.Phase == telling && e.Phase != telling {
		e.Phase, e.Passed = telling, l.passed
	}
}

// isDue tells whether this node should count.
func (l *Ledger) isDue(p *page, counterIsDead bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counting || p.Count != "" && !counterIsDead {
		return false
	}
	age := time.Since(p.Counted)
	return p.Count != "" || age > l.o.Recount || p.Inexact && age > l.o.Soon || l.refused && age > l.o.Soon/6
}

// counterIsDead tells whether the node that counts has died meanwhile.
func (l *Ledger) counterIsDead(ctx context.Context) (bool, error) {
	p, _, err := l.read(ctx)
	if err != nil || p.Count == "" {
		return false, err
	}
	if p.Counter == l.o.Node {
		l.mu.Lock()
		defer l.mu.Unlock()
		return !l.counting, nil
	}
	quiet, err := l.o.Silent(ctx, p.Counter)
	return quiet > silent, err
}

// startCount counts, while this node goes on. turn is held; the count takes it when
// it needs it.
func (l *Ledger) startCount(count string) {
	l.mu.Lock()
	l.counting = true
	l.mu.Unlock()
	l.counts.Go(func() {
		err := l.countNow(l.life, count)
		l.mu.Lock()
		l.counting, l.refused = false, l.refused && err != nil
		l.mu.Unlock()
		if err != nil && l.life.Err() == nil {
			l.o.Log.Warn("what a library holds was not counted; it is tried again", "err", err)
		}
	})
}

// errStopped is the end of a count that others have stopped.
var errStopped = errors.New("a node has left, or has taken over")

// countNow counts. A count that fails says so, so that it can be begun anew.
func (l *Ledger) countNow(ctx context.Context, count string) (err error) {
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxUncounted)
			defer cancel()
			l.change(ctx, count, func(p *page) error {
				p.Count, p.Counter, p.Phase = "", "", 0
				return nil
			})
		}
	}()
	if err := l.await(ctx, count, gathering); err != nil {
		return err
	}
	found, err := l.o.Count(ctx)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	err = l.change(ctx, count, func(p *page) error {
		p.Phase = telling
		l.mine(p)
		return nil
	})
	if err != nil {
		return err
	}
	if err := l.await(ctx, count, telling); err != nil {
		return err
	}
	return l.change(ctx, count, func(p *page) error { return l.found(ctx, p, found) })
}

// found writes what was counted into the page. What dead nodes had is free again: it
// is counted, or was never published.
func (l *Ledger) found(ctx context.Context, p *page, found Amount) error {
	p.Base, p.Inexact = found, false
	for node, e := range p.Nodes {
		if e.Count != p.Count || e.Phase != telling {
			if quiet, err := l.o.Silent(ctx, node); err != nil || quiet < deadFor {
				return errors.Join(err, errStopped)
			}
			delete(p.Nodes, node)
			continue
		}
		p.Base = p.Base.plus(e.Passed)
		p.Inexact = p.Inexact || e.Passed != Amount{} || e.Cap != e.Folded
	}
	p.Counted, p.Count, p.Counter, p.Phase = time.Now(), "", "", 0
	return nil
}

// change changes the page while a count goes on.
func (l *Ledger) change(ctx context.Context, count string, change func(*page) error) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	return l.update(ctx, func(p *page) error {
		if p.Count != count {
			return errStopped
		}
		return change(p)
	})
}

// await waits until all nodes that are alive have answered. One that died lately may
// still have something on its way to the store.
func (l *Ledger) await(ctx context.Context, count string, phase int) error {
	for start := time.Now(); ; {
		p, _, err := l.read(ctx)
		if err != nil {
			return err
		}
		if p.Count != count {
			return errStopped
		}
		late := ""
		for node, e := range p.Nodes {
			if e.Count == count && e.Phase >= phase {
				continue
			}
			if quiet, err := l.o.Silent(ctx, node); err != nil || quiet < deadFor {
				late = node
			}
		}
		if late == "" {
			return nil
		}
		if time.Since(start) > maxDelay {
			return fmt.Errorf("the node %s does not answer", late)
		}
		select {
		case <-time.After(l.o.Every / 20):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
