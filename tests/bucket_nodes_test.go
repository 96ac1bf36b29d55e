package tests

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"shelf/tests/objectstore"
)

// TestBalancerOverABucket has three servers share a library in a bucket behind haproxy.
// One of them is killed every few seconds, and the store fails in one way after the
// other. What clients are told must be as if each request had been done at one moment,
// and each rename at three.
func TestBalancerOverABucket(t *testing.T) {
	t.Parallel()
	oneServer(t, "three servers as it is")
	need(t, "haproxy")
	need(t, objectstore.Program)
	b := startBucketed(t)
	var checking sync.WaitGroup
	defer checking.Wait()
	var undecided atomic.Int32
	start, rounds := time.Now(), 0
	for !t.Failed() && (rounds < len(weathers) || *torture && time.Since(start) < 5*time.Minute) {
		w := weathers[rounds%len(weathers)]
		rounds++
		for _, e := range b.round(t, w) {
			checking.Go(func() {
				switch linearizable(e.from, e.all, patience) {
				case porcupine.Illegal:
					t.Errorf("%s: the history of %d requests is not linearizable, from %v:\n%s", w.name, len(e.all), e.from.names, e)
				case porcupine.Unknown:
					undecided.Add(1) // there are too many ways in which it may have been
				}
			})
		}
	}
	checking.Wait()
	if n := int(undecided.Load()); n > 0 {
		t.Logf("of %d histories %d were too much for the checker", 2*rounds, n)
		if n > rounds/4 {
			t.Error("too few histories were checked")
		}
	}
	t.Logf("%d requests, of which %d failed and %d are uncertain, while %d servers were killed",
		b.requests, b.refused, b.unsure, rounds)
	t.Logf("%d uploads were acknowledged, %d of them of more than 9 MiB", b.acknowledged, b.acknowledged9)
}

// weather is what is wrong with the store for a while.
type weather struct {
	name  string
	begin func(*bucketed) (end func() error, err error)
}

var weathers = []weather{
	{"calm", func(b *bucketed) (func() error, error) { return b.spoil(0) }},
	{"faults", func(b *bucketed) (func() error, error) {
		return b.spoil(20, objectstore.Unavailable, objectstore.Broken, objectstore.CutBefore, objectstore.CutAfter, objectstore.CutBody)
	}},
	{"slow", func(b *bucketed) (func() error, error) { return b.spoil(1, objectstore.Slow) }},
	{"errors", func(b *bucketed) (func() error, error) {
		return b.spoil(1, objectstore.Unavailable, objectstore.Broken)
	}},
	{"frozen", func(b *bucketed) (func() error, error) { return b.store.Thaw, b.store.Freeze() }},
	{"stopped", func(b *bucketed) (func() error, error) { b.store.Stop(); return b.store.Restart, nil }},
}

// spoil spoils one of so many calls in one of these ways; 0 spoils none.
func (b *bucketed) spoil(one int, faults ...objectstore.Fault) (func() error, error) {
	b.proxy.SpoilBy(func(*http.Request) objectstore.Fault {
		if one == 0 || rand.IntN(one) > 0 {
			return objectstore.None
		}
		return faults[rand.IntN(len(faults))]
	})
	return func() error { b.proxy.SpoilBy(nil); return nil }, nil
}

// bucketed is three servers of a library in a bucket.
type bucketed struct {
	*balanced
	store *objectstore.Store
	proxy *objectstore.Proxy

	requests, refused, unsure   int
	acknowledged, acknowledged9 int // uploads; those of more than 9 MiB
}

func startBucketed(t *testing.T) *bucketed {
	t.Helper()
	run := &linearRun{dir: t.TempDir(), seed: rand.Uint64()}
	store, err := objectstore.Start(run.dir, "")
	must(t, err)
	t.Cleanup(store.Stop)
	proxy, err := objectstore.NewProxy(store.URL)
	must(t, err)
	t.Cleanup(proxy.Close)
	_, err = objectstore.WriteCredentials(run.dir)
	must(t, err)
	b := &bucketed{store: store, proxy: proxy}
	b.balanced = startBalanced(t, &balanced{linearRun: run, serves: inBucket(proxy.URL), apart: true})
	return b
}

// round is some seconds of a weather, in which one server is killed.
func (b *bucketed) round(t *testing.T, w weather) []*epoch {
	t.Helper()
	t.Log(w.name)
	small, large := b.newEpoch(""), &epoch{large: true, history: newHistory()}
	large.from = b.from[large.of()]
	s := &stored{}
	var stop atomic.Bool
	var all sync.WaitGroup
	b.lives++
	for i := range linearClients {
		l := &linearClient{id: i, h: small.history, last: &b.last, dial: b.connect, stored: s,
			lot: rand.New(rand.NewPCG(b.seed, uint64(b.lives*linearClients+i)))}
		if l.large = i < 2; l.large {
			l.h = large.history
		}
		all.Go(func() { l.run(&stop) })
	}
	b.suffer(t, w)
	stop.Store(true)
	all.Wait()
	b.settle(t)
	b.refused += int(s.refused.Load())
	b.unsure += int(s.unsure.Load())
	for _, e := range []*epoch{small, large} {
		must(t, b.lookThrough(e, b.connect))
		b.count(e)
		for _, wrong := range e.wrong {
			t.Errorf("%s: %s", w.name, wrong)
		}
	}
	return []*epoch{small, large}
}

// suffer has the weather come and go, and one server die in it.
func (b *bucketed) suffer(t *testing.T, w weather) {
	t.Helper()
	lot := rand.New(rand.NewPCG(b.seed, uint64(b.lives)<<32))
	long := 700
	if *torture && lot.IntN(4) == 0 {
		long = 20_000 // longer than calls are tried
	}
	end, err := w.begin(b)
	must(t, err)
	time.Sleep(time.Duration(300+lot.IntN(long)) * time.Millisecond)
	killed := lot.IntN(len(b.servers))
	b.servers[killed].cmd.Process.Kill()
	<-b.servers[killed].exited
	time.Sleep(time.Duration(lot.IntN(500)) * time.Millisecond)
	must(t, end())
	b.serve(t, killed)
}

// settle waits until nothing goes on any more, so that nothing that was asked in one
// round is done in the next.
func (b *bucketed) settle(t *testing.T) {
	t.Helper()
	eventually(t, "no server has a client, and the store no call", func() bool {
		for _, at := range b.ports {
			answer, err := http.Get("http://" + at.admin + "/metrics")
			if err != nil {
				return false
			}
			text, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || !strings.Contains(string(text), "\nshelf_connections 0\n") {
				return false
			}
		}
		return b.proxy.UnderWay.Load() == 0
	})
	eventually(t, "clients are served", func() bool {
		c, err := b.connect()
		if err == nil {
			c.close()
		}
		return err == nil
	})
}

// count counts what was asked, and what was acknowledged.
func (b *bucketed) count(e *epoch) {
	b.requests += len(e.all)
	for _, o := range e.all {
		q, a := o.Input.(asked), o.Output.(told)
		if !a.known || a.outcome != done || q.request != reqPut && q.request != reqExcl {
			continue
		}
		b.acknowledged++
		if e.large {
			b.acknowledged9++
		}
	}
}
