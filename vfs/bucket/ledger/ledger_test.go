package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shelf/vfs"
	"shelf/vfs/bucket/ledger"
)

// object is the page of a store that loses answers.
type object struct {
	mu    sync.Mutex
	text  []byte
	tag   int
	loses int // one answer in so many is lost; 0 is none
}

var errLost = errors.New("the answer was lost")

func (o *object) Read(context.Context) ([]byte, string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tag == 0 {
		return nil, "", nil
	}
	return o.text, fmt.Sprint(o.tag), nil
}

func (o *object) Write(_ context.Context, text []byte, tag string) (string, error) {
	time.Sleep(time.Millisecond)
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := fmt.Sprint(o.tag); tag != now && (tag != "" || o.tag > 0) {
		return "", ledger.ErrChanged
	}
	lost := o.loses > 0 && rand.IntN(o.loses) == 0
	if lost && rand.IntN(2) == 0 {
		return "", errLost
	}
	o.text, o.tag = text, o.tag+1
	if lost {
		return "", errLost
	}
	return fmt.Sprint(o.tag), nil
}

// library is what is there.
type library struct {
	t *testing.T

	mu    sync.Mutex
	files map[int]int64
	dead  map[string]bool
	most  ledger.Amount
}

func (l *library) sum() (a ledger.Amount) {
	for _, size := range l.files {
		a.Bytes += size
		a.Files++
	}
	return a
}

// put puts a file, if what is there is what was seen.
func (l *library) put(key int, seen, size int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files[key] != seen {
		return false
	}
	if l.files[key] = size; size == 0 {
		delete(l.files, key)
	}
	now := l.sum()
	l.most = ledger.Amount{Bytes: max(l.most.Bytes, now.Bytes), Files: max(l.most.Files, now.Files)}
	return true
}

func (l *library) look(key int) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.files[key]
}

// count counts key by key, while others change what is there.
func (l *library) count(context.Context) (a ledger.Amount, err error) {
	for key := range keys {
		if size := l.look(key); size > 0 {
			a.Bytes += size
			a.Files++
		}
		time.Sleep(time.Millisecond)
	}
	return a, nil
}

func (l *library) silent(_ context.Context, node string) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead[node] {
		return time.Hour, nil
	}
	return 0, nil
}

const keys = 40

// node joins, and looks now and then.
func (l *library) node(ctx context.Context, o *object, name string, limit ledger.Amount) *ledger.Ledger {
	n := ledger.New(ctx, ledger.Options{
		Object: o, Node: name, Limit: limit, Count: l.count, Silent: l.silent, Log: slog.New(slog.DiscardHandler),
		Every: 200 * time.Millisecond, Recount: time.Second, Soon: time.Second,
	})
	go n.Run(ctx)
	l.t.Cleanup(func() { time.Sleep(time.Minute) }) // until a count has ended
	return n
}

func cost(size int64) ledger.Amount {
	if size == 0 {
		return ledger.Amount{}
	}
	return ledger.Amount{Bytes: size, Files: 1}
}

func minus(a, b ledger.Amount) ledger.Amount {
	return ledger.Amount{Bytes: a.Bytes - b.Bytes, Files: a.Files - b.Files}
}

// work puts, replaces, removes and renames for a while. It returns how often it was
// refused.
func (l *library) work(ctx context.Context, n *ledger.Ledger, r *rand.Rand) (refused int) {
	for ctx.Err() == nil {
		key := r.IntN(keys)
		seen := l.look(key)
		switch r.IntN(4) {
		case 0: // remove
			c := n.Begin(cost(seen))
			if time.Sleep(time.Millisecond); seen > 0 && l.put(key, seen, 0) {
				c.End(ledger.Amount{}, minus(ledger.Amount{}, cost(seen)))
			} else {
				c.End(ledger.Amount{}, ledger.Amount{})
			}
		case 1: // rename to a name that is free: there are both for a moment
			to := r.IntN(keys)
			l.mu.Lock()
			size := l.files[key]
			ok := size > 0 && l.files[to] == 0
			l.mu.Unlock()
			c := n.Begin(cost(size))
			if time.Sleep(time.Millisecond); ok {
				l.mu.Lock()
				if l.files[key] == size && l.files[to] == 0 {
					l.files[to] = size
					delete(l.files, key)
				}
				l.mu.Unlock()
			}
			c.End(ledger.Amount{}, ledger.Amount{})
		default:
			size := int64(1 + r.IntN(100))
			more := minus(cost(size), cost(seen))
			held := ledger.Amount{Bytes: max(0, more.Bytes), Files: max(0, more.Files)}
			if err := n.Hold(ctx, ledger.Amount{}, held); err != nil {
				if errors.Is(err, vfs.ErrNoSpace) {
					refused++
				}
				continue
			}
			c := n.Begin(cost(seen))
			if time.Sleep(time.Millisecond); l.put(key, seen, size) {
				c.End(held, more)
			} else {
				c.End(held, ledger.Amount{})
			}
		}
	}
	return refused
}

// Nodes that put, replace, remove and rename, of which some die, over a store that
// loses answers: the limits are never passed, and at the end the ledger is right.
func TestLimitsHold(t *testing.T) {
	for _, loses := range []int{0, 10} {
		for seed := range uint64(2) {
			synctest.Test(t, func(t *testing.T) { limitsHold(t, loses, seed) })
		}
	}
}

func limitsHold(t *testing.T, loses int, seed uint64) {
	limit := ledger.Amount{Bytes: 1000, Files: 20}
	lib := &library{t: t, files: make(map[int]int64), dead: make(map[string]bool)}
	o := &object{loses: loses}
	var (
		work    sync.WaitGroup
		mu      sync.Mutex
		refused int
		last    *ledger.Ledger
	)
	end, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	for i := range 4 {
		ctx, die := context.WithCancel(t.Context())
		defer die()
		name := fmt.Sprint("node ", i)
		n := lib.node(ctx, o, name, limit)
		last = n
		for j := range 3 {
			r := rand.New(rand.NewPCG(seed, uint64(10*i+j)))
			busy, rest := context.WithCancel(end)
			if i == 0 { // this one dies
				context.AfterFunc(ctx, rest)
			}
			work.Go(func() {
				defer rest()
				n := lib.work(busy, n, r)
				mu.Lock()
				refused += n
				mu.Unlock()
			})
		}
		if i == 0 {
			time.AfterFunc(2*time.Second, func() {
				die()
				time.Sleep(time.Second)
				lib.mu.Lock()
				lib.dead[name] = true
				lib.mu.Unlock()
			})
		}
	}
	work.Wait()
	if lib.most.Bytes > limit.Bytes || lib.most.Files > limit.Files {
		t.Errorf("there were %+v, of %+v", lib.most, limit)
	}
	if lib.most.Bytes < limit.Bytes*8/10 || refused == 0 {
		t.Errorf("there were only %+v of %+v, and %d refusals", lib.most, limit, refused)
	}
	time.Sleep(20 * time.Second) // it is counted
	left, err := last.Left(t.Context())
	if want := minus(limit, lib.sum()); err != nil || left != want {
		t.Errorf("at the end %+v is left, %v; want %+v", left, err, want)
	}
}

// One node alone can use all of the limit, and all of what was removed at once.
func TestOneNodeHasAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := ledger.Amount{Bytes: 1000}
		lib := &library{t: t, files: make(map[int]int64)}
		n := lib.node(t.Context(), &object{}, "node", limit)
		for range 5 {
			one := ledger.Amount{Bytes: 1000, Files: 1}
			if err := n.Hold(t.Context(), ledger.Amount{}, one); err != nil {
				t.Fatal(err)
			}
			if err := n.Hold(t.Context(), ledger.Amount{}, ledger.Amount{Bytes: 1}); !errors.Is(err, vfs.ErrNoSpace) {
				t.Errorf("more than all: %v", err)
			}
			n.Begin(ledger.Amount{}).End(one, one)
			n.Begin(one).End(ledger.Amount{}, minus(ledger.Amount{}, one))
		}
	})
}

// What a node has left is there for the others when it is idle, and when it leaves.
func TestSlicesAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := ledger.Amount{Bytes: 100_000}
		lib := &library{t: t, files: make(map[int]int64)}
		o := &object{}
		ctx, stop := context.WithCancel(t.Context())
		first, second := lib.node(ctx, o, "first", limit), lib.node(t.Context(), o, "second", limit)
		hold := func(n *ledger.Ledger, bytes int64) error {
			return n.Hold(t.Context(), ledger.Amount{}, ledger.Amount{Bytes: bytes})
		}
		if err := hold(first, 100); err != nil {
			t.Fatal(err)
		}
		if err := hold(second, 99_900); !errors.Is(err, vfs.ErrNoSpace) {
			t.Errorf("the slice of another was used: %v", err)
		}
		time.Sleep(5 * time.Second)
		if err := hold(second, 99_900); err != nil {
			t.Errorf("the slice of an idle node: %v", err)
		}
		stop()
		first.Begin(ledger.Amount{}).End(ledger.Amount{Bytes: 100}, ledger.Amount{})
		if err := first.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := hold(second, 100); err != nil {
			t.Errorf("what a node had that has left: %v", err)
		}
	})
}

// A node that is refused has seen what the others have: it tells that from then on.
func TestRefusedKnowsOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := ledger.Amount{Bytes: 1000}
		lib := &library{t: t, files: make(map[int]int64)}
		o := &object{}
		first, second := lib.node(t.Context(), o, "first", limit), lib.node(t.Context(), o, "second", limit)
		for _, n := range []*ledger.Ledger{first, second} {
			if err := n.Hold(t.Context(), ledger.Amount{}, ledger.Amount{Bytes: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if err := second.Hold(t.Context(), ledger.Amount{}, ledger.Amount{Bytes: 900}); err != nil {
			t.Fatal(err)
		}
		if err := first.Hold(t.Context(), ledger.Amount{}, ledger.Amount{Bytes: 900}); !errors.Is(err, vfs.ErrNoSpace) {
			t.Errorf("more than is left: %v", err)
		}
		if held, ok := first.Held(); !ok || held.Bytes < 902 {
			t.Errorf("it knows of %+v, %v", held, ok)
		}
	})
}

// What a node has added without having asked is told to the others all the same: a file
// that was renamed while another node has replaced it, and counted it as gone.
func TestUnaskedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := ledger.Amount{Bytes: 1000}
		lib := &library{t: t, files: make(map[int]int64)}
		o := &object{}
		first, second := lib.node(t.Context(), o, "first", limit), lib.node(t.Context(), o, "second", limit)
		time.Sleep(500 * time.Millisecond) // it is counted, and was not yet again
		first.Begin(ledger.Amount{}).End(ledger.Amount{}, ledger.Amount{Bytes: 700})
		for _, n := range []*ledger.Ledger{first, second} {
			if err := n.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if held, ok := second.Held(); !ok || held.Bytes < 700 {
			t.Errorf("the other knows of %+v, %v", held, ok)
		}
	})
}

// No text of a page is written twice: a store may know versions by their content alone,
// and would take a later one for the one that was read.
func TestPagesDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &object{}
		lib := &library{t: t, files: make(map[int]int64)}
		n := lib.node(t.Context(), o, "node", ledger.Amount{Bytes: 1000})
		seen := make(map[string]bool)
		for range 3 {
			one := ledger.Amount{Bytes: 500}
			if err := n.Hold(t.Context(), ledger.Amount{}, one); err != nil {
				t.Fatal(err)
			}
			text, _, _ := o.Read(t.Context())
			if seen[string(text)] {
				t.Errorf("it was written before: %s", text)
			}
			seen[string(text)] = true
			n.Begin(ledger.Amount{}).End(one, ledger.Amount{})
			time.Sleep(500 * time.Millisecond) // it is given back
		}
	})
}

// A page that is removed while nodes go on is made anew, and what there is counted.
func TestPageIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		lib := &library{t: t, files: map[int]int64{1: 10}}
		o := &object{}
		n := lib.node(ctx, o, "a", ledger.Amount{Bytes: 1000, Files: 100})
		if err := n.Hold(ctx, ledger.Amount{}, cost(1)); err != nil {
			t.Fatal(err)
		}
		o.mu.Lock()
		o.text, o.tag = nil, 0
		o.mu.Unlock()
		brief, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := n.Hold(brief, cost(1), cost(500)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got, ok := n.Held(); !ok || got.Bytes < 510 {
			t.Errorf("the ledger has %+v, %v", got, ok)
		}
		stop()
	})
}
