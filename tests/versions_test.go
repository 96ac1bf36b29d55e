package tests

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
)

// TestSameNameRaces has three clients upload one name at once, again and again:
// whole versions only, and of each round one of that round.
func TestSameNameRaces(t *testing.T) {
	t.Parallel()
	rounds := orInFull(50, 1000)
	s := serve(t)
	var clients [3]*client
	for i := range clients {
		clients[i] = s.dial(t)
	}
	for round := range rounds {
		var all sync.WaitGroup
		for i, c := range clients {
			v := version{uint32(round*len(clients) + i), uint32(100_000 + 40_000*i)}
			all.Go(func() {
				if err := c.upload("contested", v.bytes()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		v, err := readVersion(s.get(t, "contested"))
		if err != nil || int(v.number)/len(clients) != round {
			t.Fatalf("round %d: version %d, %v", round, v.number, err)
		}
	}
	t.Logf("%d rounds of 3 writers: none mixed", rounds)
}

// TestNoTornReads reads a file over and over while it is replaced.
func TestNoTornReads(t *testing.T) {
	t.Parallel()
	reads := orInFull(300, 10_000)
	s := serve(t)
	s.put(t, "busy", version{0, 100}.bytes())
	writer := s.dial(t)
	var done atomic.Bool
	var all sync.WaitGroup
	all.Go(func() {
		for n := uint32(1); !done.Load(); n++ {
			if err := writer.upload("busy", version{n, 1000 * (n % 100)}.bytes()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	versions := make(map[uint32]bool)
	reader := s.dial(t)
	// On a busy machine the writer may be slower than all these reads.
	for i := 0; i < reads || len(versions) < 2 && i < 100*reads; i++ {
		v, err := reader.readBusy()
		if err != nil {
			t.Errorf("read %d: %v", i, err)
			break
		}
		versions[v.number] = true
	}
	done.Store(true)
	all.Wait()
	if len(versions) < 2 {
		t.Error("the file was never replaced while it was read")
	}
	t.Logf("%d reads of %d versions: none torn", reads, len(versions))
}

// readBusy reads in two pieces, so that a replacement may fall in between.
func (c *client) readBusy() (version, error) {
	f, err := c.Open("busy")
	if err != nil {
		return version{}, err
	}
	defer f.Close()
	head := make([]byte, 20)
	if _, err := io.ReadFull(f, head); err != nil {
		return version{}, fmt.Errorf("the head: %w", err)
	}
	rest, err := io.ReadAll(f)
	if err != nil {
		return version{}, fmt.Errorf("the rest: %w", err)
	}
	return readVersion(append(head, rest...))
}
