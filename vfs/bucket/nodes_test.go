package bucket_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"shelf/vfs"
	"shelf/vfs/bucket"
)

var torture = flag.Bool("torture", false, "have nodes work against each other for five minutes")

// operation is what a client asked of a name.
type operation struct {
	what string // "put", "make" (where nothing is), "get" or "remove"
	name string
	put  string // the content
}

// result is what it was told.
type result struct {
	content   string // "" is none
	err       error
	uncertain bool
}

// register is a name as clients must see it: it has one content at a time.
var register = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, in, out any) (bool, any) {
		now, o, r := state.(string), in.(operation), out.(result)
		switch o.what {
		case "put":
			return true, o.put
		case "make":
			if now == "" && (r.err == nil || r.uncertain) {
				return true, o.put
			}
			return now != "" && errors.Is(r.err, fs.ErrExist), now
		case "remove":
			if now != "" && (r.err == nil || r.uncertain) {
				return true, ""
			}
			return now == "" && errors.Is(r.err, fs.ErrNotExist), now
		}
		return r.content == now, now
	},
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		byName := make(map[string][]porcupine.Operation)
		for _, o := range all {
			name := o.Input.(operation).name
			byName[name] = append(byName[name], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range byName {
			parts = append(parts, part)
		}
		return parts
	},
	DescribeOperation: func(in, out any) string {
		o, r := in.(operation), out.(result)
		return fmt.Sprintf("%s %s %s: %s %v", o.what, o.name, o.put, r.content, r.err)
	},
}

// Nodes that serve one bucket over a store that fails now and then: what their clients
// are told fits together, as if there were one library.
func TestNodesOverAFaultyStore(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	o := g.options(t)
	p := putProxyBefore(t, g, &o)
	var nodes []*bucket.Bucket
	for range 3 {
		nodes = append(nodes, open(t, o))
	}
	faults := []fault{unavailable, broken, cutBefore, cutAfter, cutBody, slow}
	p.spoilBy(func(*http.Request) fault {
		if rand.IntN(20) > 0 {
			return none
		}
		return faults[rand.IntN(len(faults))]
	})
	var (
		mu      sync.Mutex
		history []porcupine.Operation
		work    sync.WaitGroup
		start   = time.Now()
	)
	for client := range 6 {
		work.Go(func() {
			for n := 0; n < 40 || *torture && time.Since(start) < 5*time.Minute; n++ {
				// All work on the same name, and after a while on the next.
				in := operation{name: fmt.Sprintf("f%d", time.Since(start)/(200*time.Millisecond)), put: fmt.Sprintf("%d by %d;", n, client)}
				in.what = []string{"put", "make", "get", "get", "remove"}[rand.IntN(5)]
				called := time.Since(start).Nanoseconds()
				r := do(t, nodes[client%len(nodes)], in)
				done := time.Since(start).Nanoseconds()
				if r.err != nil && !r.uncertain && !errors.Is(r.err, fs.ErrExist) && !errors.Is(r.err, fs.ErrNotExist) {
					continue // it was not done
				}
				if r.uncertain {
					done = math.MaxInt64 // it may be done at any time, or never
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: called, Output: r, Return: done})
				mu.Unlock()
			}
		})
	}
	work.Wait()
	unsure := 0
	for _, o := range history {
		if o.Output.(result).uncertain {
			unsure++
		}
	}
	t.Logf("%d operations, of which %d are uncertain", len(history), unsure)
	outcome, _ := porcupine.CheckOperationsVerbose(register, history, time.Minute)
	if outcome == porcupine.Illegal {
		t.Error("what clients were told does not fit together")
		for _, part := range register.Partition(history) {
			if porcupine.CheckOperations(register, part) {
				continue
			}
			for _, o := range part {
				t.Logf("%d to %d: client %d: %s", o.Call/1e6, o.Return/1e6, o.ClientId, register.DescribeOperation(o.Input, o.Output))
			}
		}
	}
}

// do does what a client asks.
func do(t *testing.T, lib vfs.Library, in operation) (r result) {
	defer func() { r.uncertain = errors.Is(r.err, vfs.ErrUncertain) }()
	switch in.what {
	case "remove":
		r.err = lib.Remove(t.Context(), in.name)
	case "get":
		r.content, r.err = contentOf(t, lib, in.name)
		if errors.Is(r.err, fs.ErrNotExist) {
			return result{}
		}
	default:
		u, err := lib.Create(t.Context(), in.name, vfs.CreateOptions{Create: true, Truncate: true, Exclusive: in.what == "make"})
		if err == nil {
			_, err = u.WriteAt([]byte(strings.Repeat(in.put, 1000)), 0)
		}
		if err == nil {
			_, err = u.Commit(t.Context())
		}
		r.err = err
	}
	return r
}

// contentOf is what a file is made of; it fails the test if that is torn or mixed.
func contentOf(t *testing.T, lib vfs.Library, name string) (string, error) {
	f, err := lib.Open(t.Context(), name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(b), ";")
	if string(b) != strings.Repeat(first+";", 1000) {
		t.Errorf("%s is torn or mixed: %d bytes that start with %q", name, len(b), first)
	}
	return first + ";", nil
}

// Nodes that put, replace, rename and remove at a time never hold more than the quota,
// and what the others have left can be used when they leave.
func TestNodesKeepTheQuota(t *testing.T) {
	t.Parallel()
	const block, blocks, largest = 4 << 10, 200, 40 << 12
	g := startGateway(t, false)
	o := g.options(t)
	o.Quota = blocks * block
	var nodes []*bucket.Bucket
	for range 3 {
		nodes = append(nodes, open(t, o))
	}
	refused := 0
	for round := range uint64(12) {
		var work sync.WaitGroup
		failed := make(chan error, 6*4)
		for worker := range uint64(6) {
			lib, r := nodes[worker%3], rand.New(rand.NewPCG(round, worker))
			name := func() string { return fmt.Sprint("f", r.IntN(12)) }
			work.Go(func() {
				for range cap(failed) / 6 {
					switch r.IntN(5) {
					case 0:
						lib.Remove(t.Context(), name())
					case 1:
						lib.Rename(t.Context(), name(), name(), true)
					default:
						failed <- fill(t, lib, name(), (1+r.Int64N(largest/block))*block)
					}
				}
			})
		}
		work.Wait()
		close(failed)
		for err := range failed {
			if errors.Is(err, vfs.ErrNoSpace) {
				refused++
			} else if err != nil && !errors.Is(err, vfs.ErrUnavailable) {
				t.Error(err)
			}
		}
		// A file that is replaced while it is renamed is there twice, as two files: it was
		// asked for once. What is there is known all the same.
		there := held(t, nodes[0])
		if there.Bytes > o.Quota+2*largest {
			t.Errorf("there are %d bytes of %d", there.Bytes, o.Quota)
		}
		for i := range 2 * len(nodes) { // the second time each knows what the others have told
			if err := nodes[i%len(nodes)].Look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for i, lib := range nodes {
			if told, ok := lib.Charged(); !ok || told.Bytes < there.Bytes {
				t.Errorf("node %d knows of %+v, and there are %+v", i, told, there)
			}
		}
	}
	if refused == 0 {
		t.Error("nobody was refused")
	}
	nodes[1].Close()
	nodes[2].Close()
	there := held(t, nodes[0])
	if err := fill(t, nodes[0], "rest", o.Quota-there.Bytes+1); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("more than is left: %v", err)
	}
	if told, ok := nodes[0].Charged(); !ok || told.Bytes < there.Bytes {
		t.Errorf("the ledger has %+v, and there are %+v", told, there)
	}
}

// A node is about to remove a file. Before it does, another has replaced the file and
// removed what it has put there: so nothing is left to remove, and the store says yes all
// the same. What the file took was given back twice.
func TestRemovedOnce(t *testing.T) {
	t.Parallel()
	if !*torture {
		t.Skip("it takes half a minute until a node takes the turn of another")
	}
	g := startGateway(t, false)
	o := g.options(t)
	o.Quota = 1 << 30
	other := open(t, o)
	p := putProxyBefore(t, g, &o)
	lib := open(t, o)
	kept, gone := text(1, 100<<10), text(2, 200<<10)
	put(t, lib, "kept", kept)
	put(t, lib, "gone", gone)
	p.spoilNext(1, none, func(r *http.Request) bool {
		if r.Method != http.MethodDelete || !strings.HasSuffix(r.URL.Path, "/gone") {
			return false
		}
		put(t, other, "gone", text(3, 10<<10))
		if err := other.Remove(t.Context(), "gone"); err != nil {
			t.Error(err)
		}
		return true
	})
	if err := lib.Remove(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	other.Close() // and says what it has changed
	if err := lib.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	there := held(t, lib)
	if told, ok := lib.Charged(); !ok || told.Bytes < there.Bytes || there.Bytes != int64(len(kept)) {
		t.Errorf("the ledger has %+v, and there are %+v", told, there)
	}
}

// fill puts a file.
func fill(t *testing.T, lib vfs.Library, name string, size int64) error {
	u, err := lib.Create(t.Context(), name, vfs.CreateOptions{Create: true, Truncate: true})
	if err != nil {
		return err
	}
	defer u.Abort()
	if _, err := u.WriteAt(text(rand.Uint64(), int(size)), 0); err != nil {
		return err
	}
	_, err = u.Commit(t.Context())
	return err
}

// held is what a library holds, as a folder counts it.
func held(t *testing.T, lib *bucket.Bucket) vfs.UsageInfo {
	t.Helper()
	all, err := lib.Usage(t.Context())
	if err != nil {
		t.Error(err)
	}
	return all
}
