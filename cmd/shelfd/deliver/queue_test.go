package deliver

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// made makes an event from a line.
func made(t testing.TB, seq int, op, name, target string) *event {
	t.Helper()
	e, err := newEvent(fmt.Appendf(nil, `{"time":"2026-01-01T00:00:00.000Z","seq":%d,"id":"A-%d","host":"h","op":"%s","result":"ok","account":"ada","library":"in","name":"%s","target":"%s"}`, seq, seq, op, name, target))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Events of one file wait for each other, a rename for both of its names, and nothing
// else waits.
func TestOrderByName(t *testing.T) {
	q := newQueue()
	for _, e := range []*event{
		made(t, 1, "put", "a", ""), made(t, 2, "put", "b", ""), made(t, 3, "put", "a", ""), made(t, 4, "rename", "a", "b"),
		made(t, 5, "put", "b", ""), made(t, 6, "put", "c", ""), made(t, 7, "login", "", ""), made(t, 8, "login", "", ""),
	} {
		q.add(e)
	}
	if q.add(made(t, 2, "put", "b", "")) {
		t.Error("an event is there twice")
	}
	now := time.Now()
	take := func() (all []*event) {
		for e := q.next(now); e != nil; e = q.next(now) {
			all = append(all, e)
		}
		return all
	}
	numbers := func(all []*event) (n []uint64) {
		for _, e := range all {
			n = append(n, e.Seq)
		}
		return n
	}
	first := take()
	if got := numbers(first); !slices.Equal(got, []uint64{1, 2, 6, 7, 8}) {
		t.Fatalf("at first %v", got)
	}
	first[0].due = now.Add(time.Hour)
	q.again(first[0]) // 1 failed
	q.done(first[1])
	if got := numbers(take()); len(got) != 0 || !q.due().Equal(first[0].due) {
		t.Errorf("before 1 is done: %v", got)
	}
	now = first[0].due
	if got := numbers(take()); !slices.Equal(got, []uint64{1}) {
		t.Fatalf("when it is due: %v", got)
	}
	q.done(first[0])
	for _, want := range []uint64{3, 4, 5} {
		all := take()
		if got := numbers(all); !slices.Equal(got, []uint64{want}) {
			t.Fatalf("%v, want %d", got, want)
		}
		q.done(all[0])
	}
	if q.oldest().Seq != 6 || len(q.waiting()) != 3 {
		t.Errorf("%v are left", numbers(q.waiting()))
	}
	for _, e := range first[2:] {
		q.done(e)
	}
	if len(q.all) != 0 || len(q.byFile) != 0 || q.bytes != 0 || q.oldest() != nil {
		t.Errorf("something is left: %+v", q)
	}
}

// Whatever fails, of each file events go in their order, one at a time, and all go.
func TestOrderWhateverFails(t *testing.T) {
	q, now := newQueue(), time.Now()
	const all, files = 2000, 20
	for i := range all {
		target := ""
		if rand.N(4) == 0 {
			target = fmt.Sprint(rand.N(files))
		}
		q.add(made(t, i+1, "put", fmt.Sprint(rand.N(files)), target))
	}
	last, busy, under := make(map[string]uint64), make(map[string]bool), []*event(nil)
	for done := 0; done < all; now = now.Add(time.Second) {
		for e := q.next(now); e != nil; e = q.next(now) {
			under = append(under, e)
			for _, k := range e.keys {
				if busy[k] || last[k] >= e.Seq {
					t.Fatalf("%d goes, after %d, at once with another: %v", e.Seq, last[k], busy[k])
				}
				busy[k] = true
			}
		}
		if len(under) == 0 {
			now = now.Add(time.Minute)
			continue
		}
		i := rand.N(len(under))
		e := under[i]
		under = slices.Delete(under, i, i+1)
		for _, k := range e.keys {
			busy[k] = false
		}
		if rand.N(3) == 0 {
			e.due = now.Add(rand.N(time.Minute))
			q.again(e)
			continue
		}
		for _, k := range e.keys {
			last[k] = e.Seq
		}
		q.done(e)
		done++
	}
	if len(q.order) > 128 {
		t.Errorf("%d holes are kept", len(q.order))
	}
}

// Those that had no answer are tried soon when the receiver is back; those that it
// refused are not.
func TestHurry(t *testing.T) {
	q, now := newQueue(), time.Now()
	for i, silent := range []bool{true, false} {
		e := made(t, i+1, "put", fmt.Sprint(i), "")
		e.tried, e.due, e.silent = now, now.Add(time.Hour), silent
		q.add(e)
	}
	q.hurry(time.Minute)
	if e := q.next(now.Add(time.Minute)); e == nil || e.Seq != 1 || q.next(now.Add(time.Minute)) != nil {
		t.Error("not the one that had no answer")
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{5 * time.Second, 24 * time.Hour}
	for tries, least := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 10: 2560 * time.Second, 15: 5 * time.Second << 14, 16: 24 * time.Hour, 1000: 24 * time.Hour} {
		seen := make(map[time.Duration]bool)
		for range 100 {
			d := b.after(tries)
			if seen[d] = true; d < least || d > least+least/2 || d > b.most {
				t.Errorf("after %d tries it is %v", tries, d)
			}
		}
		if len(seen) < 2 && least < b.most {
			t.Errorf("after %d tries it is always the same", tries)
		}
	}
}
