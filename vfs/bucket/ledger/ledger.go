// Package ledger keeps what a library holds below a limit, where several nodes make it
// grow at a time.
//
//	ledger.go  Ledger: what this node may still add, holds and has added
//	page.go    what the nodes have in common: one object, changed by compare and swap
//	grow.go    a node asks for more, and gives back what it does not need
//	count.go   what is there is counted anew, while the nodes go on
//
// A node takes a slice of what is left, and needs no call for what fits into that. So
// the limit is never passed; but a node may be refused although others have some of
// their slices left: at most a slice each.
//
// What has gone makes room at once on the node that has removed it, and on others
// when this one gives it back. Where it is not known what a change has done, and
// where a node has died, the ledger says rather too much than too little. It is right
// again when it is counted.
package ledger

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"shelf/vfs"
)

// Amount is what files take.
type Amount struct{ Bytes, Files int64 }

func (a Amount) plus(b Amount) Amount  { return Amount{a.Bytes + b.Bytes, a.Files + b.Files} }
func (a Amount) minus(b Amount) Amount { return Amount{a.Bytes - b.Bytes, a.Files - b.Files} }
func (a Amount) max(b Amount) Amount   { return Amount{max(a.Bytes, b.Bytes), max(a.Files, b.Files)} }
func (a Amount) min(b Amount) Amount   { return Amount{min(a.Bytes, b.Bytes), min(a.Files, b.Files)} }

// Options configures a Ledger.
type Options struct {
	Object Object
	Node   string // its name, which no other has, nor had before
	Limit  Amount // of each, 0 is no limit
	// Count counts what the library holds: its files, and what is kept beside them.
	Count func(context.Context) (Amount, error)
	// Silent is for how long a node has given no sign of life.
	Silent func(ctx context.Context, node string) (time.Duration, error)
	Log    *slog.Logger

	Every   time.Duration // between two looks at the page; 0 is 10 s
	Recount time.Duration // between two counts; 0 is a day
	// Soon is the least time between two counts, where there is reason for one: 0 is
	// an hour; and where somebody was refused a sixth of it.
	Soon time.Duration
}

// The times after which a node no longer trusts what it knows, and after which others
// take what it had for free.
const (
	trusted  = 5 * time.Minute
	deadFor  = 10 * time.Minute
	silent   = time.Minute // a count of such a node is taken over
	maxDelay = time.Minute // until all have answered while a count goes on
)

// slices are how many slices a limit has.
const slices = 100

// Ledger is a node's part. Its methods may be called from several goroutines.
type Ledger struct {
	o      Options
	life   context.Context
	slice  Amount
	turn   chan struct{}  // who has it changes the page
	counts sync.WaitGroup // the count under way here

	mu       sync.Mutex // guards what follows; held for no call
	cap      Amount     // as in the page, or less
	added    Amount     // since the ledger was made: what came, less what has gone
	held     Amount     // by uploads under way
	moving   Amount     // what is about to go, or to get another place
	passed   Amount     // what did while the count goes on that this node knows of
	count    string     // that count; "" is none
	others   Amount     // what the page has besides this node's part
	folded   Amount     // how much of added is in others
	joined   bool       // the page has an entry of this node
	counted  bool       // the page says what there is
	seen     time.Time  // when the page was looked at
	counting bool       // this node counts
	refused  bool       // somebody was, since the last count
	busy     bool       // something was held since the last look
}

// New makes a ledger, which counts as long as life goes on. It calls nobody.
func New(life context.Context, o Options) *Ledger {
	if o.Every == 0 {
		o.Every = 10 * time.Second
	}
	if o.Recount == 0 {
		o.Recount = 24 * time.Hour
	}
	if o.Soon == 0 {
		o.Soon = time.Hour
	}
	slice := Amount{o.Limit.Bytes / slices, o.Limit.Files / slices}
	return &Ledger{o: o, life: life, slice: slice.max(Amount{1, 1}), turn: make(chan struct{}, 1)}
}

// Hold changes what an upload holds from has to want, or refuses that. It asks the
// store if this node has too little left.
func (l *Ledger) Hold(ctx context.Context, has, want Amount) error {
	more := want.minus(has)
	for !l.take(more) {
		// What was counted may be gone, with the page.
		if err := l.awaitCount(ctx); err != nil {
			return err
		}
		if done, err := l.growFor(ctx, more); done || err != nil {
			return err
		}
	}
	return nil
}

// growFor holds more in its turn, and asks for as much if this node has too little left.
// It is false if that does not help, since nothing was counted.
func (l *Ledger) growFor(ctx context.Context, more Amount) (held bool, err error) {
	if err := l.enter(ctx); err != nil {
		return false, err
	}
	defer l.leave()
	for !l.take(more) {
		if err := l.grow(ctx, more); err != nil {
			return false, err
		}
		if _, counted := l.Held(); !counted {
			return false, nil
		}
	}
	return true, nil
}

// take holds more, if that fits into what this node may add.
func (l *Ledger) take(more Amount) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if more.max(Amount{}) != (Amount{}) {
		free := l.cap.minus(l.added).minus(l.held)
		limit := l.o.Limit
		known := l.joined && l.counted && time.Since(l.seen) < trusted
		if !known || limit.Bytes > 0 && more.Bytes > max(0, free.Bytes) || limit.Files > 0 && more.Files > max(0, free.Files) {
			return false
		}
	}
	l.held = l.held.plus(more)
	l.busy = true
	return true
}

func (l *Ledger) enter(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Ledger) leave() { <-l.turn }

// Change is a change under way of what the library holds.
type Change struct {
	l   *Ledger
	old Amount
}

// Begin is called before something that the library holds may go, be replaced, or get
// another place: a count under way may miss it.
func (l *Ledger) Begin(old Amount) *Change {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moving = l.moving.plus(old)
	if l.count != "" {
		l.passed = l.passed.plus(old)
	}
	return &Change{l, old}
}

// End is called when that is over: the library has more than before, or less, and the
// upload that was charged for it holds nothing any more.
func (c *Change) End(held, more Amount) {
	l := c.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moving = l.moving.minus(c.old)
	l.held = l.held.minus(held)
	l.added = l.added.plus(more)
	l.busy = true
}

// Held is what the library may hold, by what this node knows; ok is false if nothing
// was counted yet.
func (l *Ledger) Held() (a Amount, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all(), l.counted
}

// all is what the library may hold; mu is held.
func (l *Ledger) all() Amount { return l.others.plus(l.added).minus(l.folded).plus(l.held) }

// Left is how much can be added, of what is limited.
func (l *Ledger) Left(ctx context.Context) (Amount, error) {
	if _, ok := l.Held(); !ok {
		if err := l.Look(ctx); err != nil {
			return Amount{}, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.counted {
		return Amount{}, errUncounted
	}
	return l.o.Limit.minus(l.all()).max(Amount{}), nil
}

var errUncounted = &vfs.Error{Kind: vfs.ErrUnavailable, Why: "what the library holds is being counted; try again in a moment"}
