package held

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// key is what uploads are kept in order for: a name of a library.
type key struct{ library, account, name string }

func (e *entry) key() key {
	k := key{library: e.item.Library, name: e.item.Name}
	if e.item.Held.Own {
		k.account = e.item.Account
	}
	return k
}

// never is longer than anybody waits.
const never = time.Hour

// start begins to judge what may be judged now, and tells when to look again.
func (q *Queue) start(ctx context.Context, running *sync.WaitGroup) (next time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	next = never
	ready := q.ready(time.Now(), &next)
	inLibrary, ofAccount := q.judged()
	maps.DeleteFunc(q.turns, func(who key, _ int64) bool { _, waits := ofAccount[who]; return !waits })
	for len(ready) > 0 {
		// The account of which least is judged comes first; of several the one that had
		// its turn the longest time ago, and of it the oldest.
		n := 0
		for m, e := range ready {
			who, best := owner(e), owner(ready[n])
			if cmp.Or(cmp.Compare(ofAccount[who], ofAccount[best]), cmp.Compare(q.turns[who], q.turns[best])) < 0 {
				n = m
			}
		}
		e := ready[n]
		ready = slices.Delete(ready, n, n+1)
		if inLibrary[e.item.Library] >= max(1, q.o.Rules(e.item.Library).Scans) {
			ready = slices.DeleteFunc(ready, func(o *entry) bool { return o.item.Library == e.item.Library })
			continue
		}
		inLibrary[e.item.Library]++
		ofAccount[owner(e)]++
		q.turn++
		q.turns[owner(e)] = q.turn
		one, cancel := context.WithCancel(ctx)
		e.judging = cancel
		running.Go(func() {
			defer cancel()
			q.judge(one, e)
		})
	}
	return next
}

// ready are the entries that may be judged now, the oldest first. Of each name that is
// the oldest alone: what came later is not to be published before it. mu is held.
func (q *Queue) ready(now time.Time, next *time.Duration) (all []*entry) {
	sorted := make([]*entry, 0, len(q.all))
	for _, e := range q.all {
		sorted = append(sorted, e)
	}
	slices.SortFunc(sorted, func(a, b *entry) int { return cmp.Compare(a.item.Held.Order, b.item.Held.Order) })
	seen := make(map[key]bool)
	for _, e := range sorted {
		first := !seen[e.key()]
		seen[e.key()] = true
		switch {
		case !first, !e.begun, e.judging != nil, e.taken != nil:
		case e.due.After(now):
			*next = min(*next, e.due.Sub(now))
		default:
			all = append(all, e)
		}
	}
	return all
}

// owner is an account in a library.
func owner(e *entry) key { return key{library: e.item.Library, account: e.item.Account} }

// judged counts what is judged now, by library and by account there, with all accounts of
// which something waits; mu is held.
func (q *Queue) judged() (inLibrary map[string]int, ofAccount map[key]int) {
	inLibrary, ofAccount = make(map[string]int), make(map[key]int)
	for _, e := range q.all {
		ofAccount[owner(e)] += 0
		if e.judging != nil {
			inLibrary[e.item.Library]++
			ofAccount[owner(e)]++
		}
	}
	return inLibrary, ofAccount
}
