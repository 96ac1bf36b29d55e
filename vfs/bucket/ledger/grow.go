package ledger

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"shelf/vfs"
)

// maxUncounted is for how long who wants more waits for the first count.
const maxUncounted = 15 * time.Second

// grow asks for a slice in which more fits, or for as much if there is no slice left.
// turn is held.
func (l *Ledger) grow(ctx context.Context, more Amount) error {
	var cap Amount
	err := l.update(ctx, func(p *page) error {
		e := l.mine(p)
		others := p.total().minus(e.Cap).plus(e.Folded)
		l.mu.Lock()
		need := l.added.plus(l.held).plus(more)
		l.mu.Unlock()
		// So far this node's may go, on the scale of what it has added.
		most := l.o.Limit.minus(others).plus(e.Folded)
		if err := l.refusal(need, most, e.Cap, more); err != nil {
			return err
		}
		cap = need.plus(l.slice).min(most).max(need).max(e.Cap)
		e.Cap = cap
		return nil
	})
	if err != nil {
		return unavailable(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cap = cap
	return nil
}

// refusal is the error if what is needed passes a limit.
func (l *Ledger) refusal(need, most, cap, more Amount) error {
	why := ""
	switch limit := l.o.Limit; {
	case limit.Bytes > 0 && more.Bytes > 0 && need.Bytes > max(most.Bytes, cap.Bytes):
		why = "the library's quota is used up"
	case limit.Files > 0 && more.Files > 0 && need.Files > max(most.Files, cap.Files):
		why = "the library has as many files as it may have"
	default:
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = true
	return &vfs.Error{Kind: vfs.ErrNoSpace, Why: why}
}

// awaitCount waits until the library was counted once, or counts it if nobody does.
func (l *Ledger) awaitCount(ctx context.Context) error {
	for start := time.Now(); ; {
		l.mu.Lock()
		counted := l.counted
		l.mu.Unlock()
		if counted {
			return nil
		}
		if time.Since(start) > maxUncounted {
			return errUncounted
		}
		if err := l.Look(ctx); err != nil {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mine is this node's entry of a page, with what a count wants to know.
func (l *Ledger) mine(p *page) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := p.Nodes[l.o.Node]
	if e == nil {
		// It is new, or others took it for dead: then it may add nothing any more of
		// what it had, but for what its uploads hold.
		l.cap = l.added.plus(l.held)
		e = &entry{Folded: l.added}
		p.Nodes[l.o.Node] = e
	}
	if l.o.Limit.Bytes == 0 {
		l.cap.Bytes = l.added.Bytes + l.held.Bytes
	}
	if l.o.Limit.Files == 0 {
		l.cap.Files = l.added.Files + l.held.Files
	}
	l.tellAll(e)
	l.answer(p, e)
	return e
}

// giveBack leaves this node what it needs: to a busy one a slice besides.
func (l *Ledger) giveBack(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	need := l.added.plus(l.held)
	if l.busy {
		need = need.plus(l.slice)
	}
	l.busy = false // until the next look
	l.cap = l.cap.min(need)
	l.tellAll(e)
}

// tellAll has the page say what this node may add. That is never less than what it has
// added: some of that was not asked for, as a file that others have replaced while it
// was renamed. mu is held.
func (l *Ledger) tellAll(e *entry) {
	l.cap = l.cap.max(l.added.plus(l.held))
	e.Cap = l.cap
}

// saw notes what a page says.
func (l *Ledger) saw(p *page) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := p.Nodes[l.o.Node]
	if l.joined = e != nil; e == nil {
		e = &entry{Cap: l.added, Folded: l.added}
	}
	l.others, l.folded = p.total().minus(e.Cap).plus(e.Folded), e.Folded
	l.counted, l.seen = !p.Counted.IsZero(), time.Now()
	if p.Count != l.count {
		l.count, l.passed = "", Amount{}
	}
}

// Look looks at the page: it answers who counts, gives back what is not needed, and
// counts if it is time for that.
func (l *Ledger) Look(ctx context.Context) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	dead, err := l.counterIsDead(ctx)
	if err != nil {
		return unavailable(err)
	}
	begin := ""
	err = l.update(ctx, func(p *page) error {
		before, err := json.Marshal(p)
		if err != nil {
			return err
		}
		l.giveBack(l.mine(p))
		if begin = ""; l.isDue(p, dead) {
			begin = rand.Text()
			p.Count, p.Counter, p.Phase = begin, l.o.Node, gathering
			l.mine(p) // answers
		}
		if p.same(before) {
			return errSame
		}
		return nil
	})
	if err != nil {
		return unavailable(err)
	}
	if begin != "" {
		l.startCount(begin)
	}
	return nil
}

// Run looks now and then, until ctx ends.
func (l *Ledger) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := l.Look(ctx); err != nil && ctx.Err() == nil {
			l.o.Log.Warn("this node can't tell the others what it has added to the library", "err", err)
		}
		wait := l.o.Every
		l.mu.Lock()
		if l.count != "" {
			wait /= 10 // somebody waits for an answer
		}
		l.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// Leave gives back all that this node has. Its uploads and its life have ended.
func (l *Ledger) Leave(ctx context.Context) error {
	l.counts.Wait()
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	return l.update(ctx, func(p *page) error {
		e := p.Nodes[l.o.Node]
		if e == nil {
			return errSame
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.joined = false // what comes now asks anew
		p.Base = p.Base.plus(l.added).minus(e.Folded)
		delete(p.Nodes, l.o.Node)
		p.Count, p.Counter = "", "" // it would miss what this node has added
		return nil
	})
}

// unavailable is the error of who can't be told whether there is room.
func unavailable(err error) error {
	if known := (*vfs.Error)(nil); errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	return &vfs.Error{Kind: vfs.ErrUnavailable, Err: err}
}
