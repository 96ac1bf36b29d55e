// Package held judges uploads after their clients were answered, and publishes them or
// refuses them.
//
//	held.go     Queue: what waits
//	room.go     how much may wait
//	client.go   what an account does with its own
//	turns.go    whose turn it is
//	judge.go    one upload is judged, and what follows
//	publish.go  Publisher: what was let in becomes an upload of its account
//
// What waits is on disk, in the folder of package quarantine, and is judged again after
// a restart. Each upload belongs to one server; so what a Queue remembers of its own is
// right.
package held

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"shelf/cmd/shelfd/quarantine"
	"shelf/vfs"
)

// Options is what a [Queue] is made from.
type Options struct {
	Folder *quarantine.Folder

	// Judge asks the gate of the item's library. It returns one of the words of
	// [vfs.Event.Gate]; with [vfs.GateRefused] the error is the reason, and with any other
	// word an error is that there is no verdict yet.
	Judge func(ctx context.Context, i quarantine.Item, file *os.File) (word string, err error)

	// Publish puts it into its library, in the name of its account. The event is
	// recorded, but for an error after which it is tried again: see Again.
	Publish func(ctx context.Context, i quarantine.Item, file *os.File, word string) error

	// Published tells whether the library has it, after a try of which nobody knows.
	Published func(ctx context.Context, i quarantine.Item, file *os.File) bool

	// Refused records that it is not published, and never will be.
	Refused func(i quarantine.Item, word string, why error) error

	// Rules are those of a library, as they are now.
	Rules func(library string) Rules

	// Settles tells whether a name is a temporary one, under which a client keeps a file
	// for a moment. It then has Settling to rename it before it is judged.
	Settles  func(name string) bool
	Settling time.Duration

	// First and Longest are how long it takes until a file is tried again that could not
	// be judged or published, and how that grows.
	First, Longest time.Duration

	Log *slog.Logger
}

// Rules are what a Queue keeps to for a library.
type Rules struct {
	Scans      int   // files that are judged at a time
	Max        int64 // bytes that may wait
	Quota      int64 // bytes of the library and of what waits; 0 is no limit
	Files      int64 // the same in files
	OfAccount  int64 // bytes of one account that may wait there; 0 is no limit beside Max
	Quarantine int64 // bytes that refused files may take; 0 is that they are removed
}

// Queue is what waits for its verdict. It is safe for concurrent use.
type Queue struct {
	o    Options
	wake chan struct{}

	mu       sync.Mutex
	all      map[string]*entry          // by id; mu
	names    map[named][]*entry         // the same by name: clients ask for that with each request; mu
	reserved map[string]quarantine.Item // what is being copied; mu
	last     int64                      // the Order that was given last; mu
	turn     int64                      // counts what was judged; mu
	turns    map[key]int64              // when accounts had their last turn, by that; mu
}

// entry is an upload that waits. All fields are guarded by the Queue's mu; item may be
// changed by who has taken the entry.
type entry struct {
	item    quarantine.Item
	begun   bool          // its event was recorded
	due     time.Time     // not to be tried before
	tries   int           // without a verdict, or without being published
	why     string        // the last of them failed
	judging func()        // ends that; nil is that nobody judges it
	taken   chan struct{} // closed when who has taken it gives it back; nil is nobody
}

// New makes a Queue of what waits. It does nothing before Adopt and Run.
func New(o Options) *Queue {
	o.First, o.Longest = cmp.Or(o.First, 5*time.Second), cmp.Or(o.Longest, 10*time.Minute)
	return &Queue{o: o, wake: make(chan struct{}, 1), all: make(map[string]*entry), names: make(map[named][]*entry), reserved: make(map[string]quarantine.Item), turns: make(map[key]int64)}
}

// adoptEvery is how often it is seen whether another server has left something.
const adoptEvery = 5 * time.Second

// Run judges what waits, until ctx ends. Adopt comes first.
func (q *Queue) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	adopt := time.NewTicker(adoptEvery)
	defer adopt.Stop()
	for {
		next := q.start(ctx, &running)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-adopt.C:
			q.Adopt()
		case <-q.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Adopt takes what another server has left, as the one before this.
func (q *Queue) Adopt() {
	items, err := q.o.Folder.Adopt()
	if err != nil {
		q.o.Log.Error("it can't be seen whether uploads wait for a verdict that another server has left", "reason", err)
	}
	if len(items) == 0 {
		return
	}
	q.o.Log.Info("uploads wait for a verdict, since before this server", "count", len(items))
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, i := range items {
		q.add(&entry{item: i, begun: true})
		q.last = max(q.last, i.Held.Order)
	}
}

// poke has Run look what there is to do.
func (q *Queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Retry tries all at once that wait for their next try: what kept them may be mended.
func (q *Queue) Retry() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.all {
		if e.tries > 0 {
			e.due = time.Time{}
		}
	}
	q.poke()
}

// order is the next Order: by the clock, and never twice the same.
func (q *Queue) order() int64 {
	q.last = max(q.last+1, time.Now().UnixNano())
	return q.last
}

// State is how it goes with an upload.
type State struct {
	Judging bool      // now
	Tries   int       // that failed
	Why     string    // the last of them failed; "" is none
	Next    time.Time // when it is tried again
}

// State tells of an upload that waits here.
func (q *Queue) State(id string) (s State, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.all[id]
	if e == nil {
		return s, false
	}
	return State{Judging: e.judging != nil, Tries: e.tries, Why: e.why, Next: e.due}, true
}

// Total is how much waits in a library.
type Total struct {
	Files, Bytes int64
	Failing      int64     // files that were tried without success
	Since        time.Time // the oldest came; zero is none
}

// Total counts what waits in a library.
func (q *Queue) Total(library string) (t Total) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.all {
		if e.item.Library != library {
			continue
		}
		t.Files, t.Bytes = t.Files+1, t.Bytes+e.item.Size
		if e.tries > 0 {
			t.Failing++
		}
		if t.Since.IsZero() || e.item.Time.Before(t.Since) {
			t.Since = e.item.Time
		}
	}
	return t
}

// named is a name of a library, whose account it may be.
type named struct{ library, name string }

func (e *entry) named() named { return named{e.item.Library, e.item.Name} }

// add puts an entry in; mu is held.
func (q *Queue) add(e *entry) {
	q.all[e.item.ID] = e
	q.names[e.named()] = append(q.names[e.named()], e)
}

// forget takes an entry out; mu is held.
func (q *Queue) forget(e *entry) {
	delete(q.all, e.item.ID)
	rest := slices.DeleteFunc(q.names[e.named()], func(o *entry) bool { return o == e })
	if q.names[e.named()] = rest; len(rest) == 0 {
		delete(q.names, e.named())
	}
}

// of are the entries of an account under a name, in their order; mu is held.
func (q *Queue) of(library, account, name string) (all []*entry) {
	for _, e := range q.names[named{library, name}] {
		if e.item.Account == account {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.item.Held.Order, b.item.Held.Order) })
	return all
}

// take gives the entry that find finds to the caller alone, until give. find is called
// with mu held; nil is that there is none.
func (q *Queue) take(ctx context.Context, find func() *entry) (*entry, error) {
	for {
		q.mu.Lock()
		e := find()
		if e == nil {
			q.mu.Unlock()
			return nil, vfs.NotExist()
		}
		taken := e.taken
		if taken == nil {
			e.taken = make(chan struct{})
			q.mu.Unlock()
			return e, nil
		}
		q.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// give ends take.
func (q *Queue) give(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(e.taken)
	e.taken = nil
	q.poke()
}

// byID finds an entry; see take.
func (q *Queue) byID(id string) func() *entry {
	return func() *entry { return q.all[id] }
}

// remove takes an entry out, which the caller has taken.
func (q *Queue) remove(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(e)
	if e.judging != nil {
		e.judging()
	}
}

// write has what is known of an entry, which the caller has taken, be next.
func (q *Queue) write(e *entry, next quarantine.Item) error {
	if err := q.o.Folder.Update(next); err != nil {
		return vfs.DiskFailed(err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(e)
	e.item = next
	q.add(e)
	return nil
}

// Claim gives an upload to an operator. What is judged meanwhile has no effect before end
// is called: with true, if the upload does not wait any more.
func (q *Queue) Claim(ctx context.Context, id string) (i quarantine.Item, end func(gone bool), err error) {
	e, err := q.take(ctx, q.byID(id))
	if err != nil {
		return i, nil, err
	}
	return e.item, func(gone bool) {
		if gone {
			q.remove(e)
		}
		q.give(e)
	}, nil
}

// Release has publish put an upload into its library, without a verdict. After a crash
// it is not published again.
func (q *Queue) Release(ctx context.Context, id string, publish func(quarantine.Item) error) error {
	e, err := q.take(ctx, q.byID(id))
	if err != nil {
		return err
	}
	defer q.give(e)
	if err := q.mark(e, true); err != nil {
		return err
	}
	if err := publish(e.item); err != nil {
		q.unmark(e, err)
		return err
	}
	if _, err := q.o.Folder.Drop(id); err != nil {
		return err
	}
	q.remove(e)
	return nil
}
