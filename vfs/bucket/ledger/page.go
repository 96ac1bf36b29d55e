package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"
)

// page is what the nodes have in common: an object with this as JSON.
type page struct {
	// ID is drawn for each writing. A store may know a version by an ETag of its content
	// alone: so no page has the content of an earlier one.
	ID string

	// Base is what the library held when it was counted, with all that nodes have
	// folded in since. What it may hold now is Base and, of each node, Cap less Folded.
	Base  Amount
	Nodes map[string]*entry

	Counted time.Time // when Base was counted last; zero is never
	Inexact bool      // something changed meanwhile, so that Base may be too large
	Count   string    // of the count under way; "" is none
	Counter string    // the node that counts
	Phase   int       // of that count: what nodes have to tell, see count.go
}

// entry is what a node has of a page. All of it is absolute: to write it twice is the
// same as once.
type entry struct {
	// Cap is how much the node may have added since it began, net, with what its
	// uploads under way hold.
	Cap Amount
	// Folded is how much of what it has added is in Base.
	Folded Amount

	Count  string // the last one that it has answered
	Phase  int    // how far
	Passed Amount // what has gone or moved while it was counted
}

// total is what the library may hold at most.
func (p *page) total() Amount {
	sum := p.Base
	for _, e := range p.Nodes {
		sum = sum.plus(e.Cap).minus(e.Folded)
	}
	return sum
}

// same tells whether another page says the same.
func (p *page) same(as []byte) bool {
	now, err := json.Marshal(p)
	return err == nil && bytes.Equal(now, as)
}

// Object is where the page lies.
type Object interface {
	// Read reads it; tag "" is that there is none.
	Read(ctx context.Context) (text []byte, tag string, err error)
	// Write writes it if it still has the tag, and tells the new one. The error is
	// [ErrChanged] if it has another one. After any other it is not known whether it
	// was written.
	Write(ctx context.Context, text []byte, tag string) (now string, err error)
}

// ErrChanged is the error of a write that came too late.
var ErrChanged = errors.New("the object was changed meanwhile")

// maxWrites is how often a change is tried while others make theirs.
const maxWrites = 50

// update changes the page. change is called again with what is there then, whenever
// somebody else was first; it may be called after a write that was made. It returns
// errSame if there is nothing to write. l.turn is held.
func (l *Ledger) update(ctx context.Context, change func(*page) error) error {
	for try := range maxWrites {
		p, tag, err := l.read(ctx)
		if err != nil {
			return err
		}
		l.saw(p) // also by who is refused
		if err := change(p); err != nil {
			if errors.Is(err, errSame) {
				l.saw(p)
				return nil
			}
			return err
		}
		p.ID = rand.Text()
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		_, err = l.o.Object.Write(ctx, text, tag)
		if err == nil {
			l.saw(p)
			return nil
		}
		if !errors.Is(err, ErrChanged) {
			return fmt.Errorf("write what the library holds: %w", err)
		}
		select {
		case <-time.After(time.Duration(1+mathrand.N(4<<min(try, 6))) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errBusy
}

var (
	errSame = errors.New("nothing to write")
	errBusy = errors.New("others change what the library holds all the time")
)

func (l *Ledger) read(ctx context.Context) (*page, string, error) {
	text, tag, err := l.o.Object.Read(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("read what the library holds: %w", err)
	}
	p := &page{}
	if tag != "" {
		if err := json.Unmarshal(text, p); err != nil {
			return nil, "", fmt.Errorf("read what the library holds: %w", err)
		}
	}
	if p.Nodes == nil {
		p.Nodes = make(map[string]*entry)
	}
	return p, tag, nil
}
