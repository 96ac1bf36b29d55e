package keys

import (
	"context"
	"errors"
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// steps says how long to wait after so many wrong guesses: not at all after the
// first few, then first, and twice as long after each, up to most.
type steps struct {
	free        int
	first, most time.Duration
}

// passwordSteps are those of an account, whoever guesses. They are short: its
// owner has to wait as well.
func passwordSteps() steps {
	return steps{free: 3, first: 100 * time.Millisecond, most: 1600 * time.Millisecond}
}

// of is the wait after so many wrong guesses.
func (s steps) of(wrong float64) time.Duration {
	over := int(math.Round(wrong)) - s.free
	if over <= 0 {
		return 0
	}
	return min(s.most, s.first<<min(over-1, 20))
}

const (
	// forgiven is the time in which the count of wrong guesses falls to its half.
	forgiven = 10 * time.Minute

	// maxGuessed is how many accounts, or accounts and sources, are remembered.
	maxGuessed = 64 << 10

	// guessedSample is how many of them are looked at to make room for one.
	guessedSample = 16

	// longestQueue is how long a guess waits for those before it.
	longestQueue = 20 * time.Second
)

// errQueue refuses a guess without a look at it, and without a mark against
// anybody: others before it have to wait as well.
var errQueue = errors.New("too many wrong codes; wait a little")

// backoff makes those wait who guess at the same thing, which has a name. It is
// safe for concurrent use.
type backoff struct {
	steps steps
	seed  maphash.Seed

	mu  sync.Mutex
	all map[uint64]guesses // by hash of the name, which may be long; mu
}

// guesses are those at one thing.
type guesses struct {
	wrong float64 // at that time
	at    time.Time
	turn  time.Time // of the next, for those who have to come one by one
}

func newBackoff(s steps) *backoff {
	return &backoff{steps: s, seed: maphash.MakeSeed(), all: make(map[uint64]guesses)}
}

// delay is how long a guess has to wait because of those before it. Several may
// wait at a time.
func (b *backoff) delay(now time.Time, name string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.steps.of(b.all[b.hash(name)].faded(now))
}

// wrong counts one that was wrong.
func (b *backoff) wrong(now time.Time, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(now, name, 1)
}

// queue is how long a guess has to wait for its turn. It counts as wrong until it
// is forgiven: many at a time must not pass because none has been judged yet.
func (b *backoff) queue(now time.Time, name string) (time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait := max(0, b.all[b.hash(name)].turn.Sub(now))
	if wait > longestQueue {
		return 0, errQueue
	}
	g := b.add(now, name, 1)
	g.turn = now.Add(wait + b.steps.of(g.wrong))
	b.all[b.hash(name)] = g
	return wait, nil
}

// forgive takes back one that was counted as wrong.
func (b *backoff) forgive(now time.Time, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(now, name, -1)
}

// forget takes back all.
func (b *backoff) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, b.hash(name))
}

// add is called with mu held.
func (b *backoff) add(now time.Time, name string, n float64) guesses {
	hash := b.hash(name)
	g, known := b.all[hash]
	if !known && len(b.all) >= maxGuessed {
		b.makeRoom(now)
	}
	g.wrong, g.at = max(0, g.faded(now)+n), now
	b.all[hash] = g
	return g
}

// makeRoom drops, of some, the one with the fewest guesses. Maps are ranged over
// from a random place. It is called with mu held.
func (b *backoff) makeRoom(now time.Time) {
	var least uint64
	fewest, seen := math.Inf(1), 0
	for hash, g := range b.all {
		if w := g.faded(now); w < fewest {
			least, fewest = hash, w
		}
		if seen++; seen == guessedSample {
			break
		}
	}
	delete(b.all, least)
}

func (b *backoff) hash(name string) uint64 { return maphash.String(b.seed, name) }

// faded is how many wrong ones are not forgiven yet.
func (g guesses) faded(now time.Time) float64 {
	return g.wrong * math.Exp2(-float64(now.Sub(g.at))/float64(forgiven))
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
