package tests

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// killings is how often a test kills a server.
func killings() int {
	if testing.Short() {
		return 5
	}
	return orInFull(20, 1000)
}

// TestServerKilled kills the server with SIGKILL at random moments while eight
// clients upload new files and replace old ones, and starts it again on what is
// left: 20 times, or with -torture 1,000 times. What was acknowledged must be
// there, all that is visible must be whole, and nothing hidden may stay.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	kills := killings()
	dir := t.TempDir()
	var clients [8]*uploader
	for i := range clients {
		clients[i] = &uploader{id: i, acked: make(map[string]version), tried: make(map[string]version)}
	}
	uploads := 0
	for range kills {
		uploads += killOnce(t, dir, clients[:])
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d uploads acknowledged: none lost, none partial or mixed", kills, uploads)
}

// TestOneOfTwoKilled has two servers on a library, with four clients each. One of them is
// killed at a random moment while the other goes on, and started again: 20 times, or
// with -torture 1,000 times. What either has acknowledged must be there.
func TestOneOfTwoKilled(t *testing.T) {
	t.Parallel()
	kills := killings()
	dir := t.TempDir()
	first, err := startConfigured(dir, `library = "library"
[accounts.ada]
authorized_keys_file = "id.pub"
permissions = ["admin"]
`)
	must(t, err)
	pair := [2]*server{first}
	pair[1], err = first.another(2)
	must(t, err)
	var clients [8]*uploader
	for i := range clients {
		clients[i] = &uploader{id: i, acked: make(map[string]version), tried: make(map[string]version)}
	}
	uploads, beside := 0, 0
	for n := 0; n < kills && !t.Failed(); n++ {
		acked, other := killOneOfTwo(t, &pair, n%2, clients[:])
		uploads, beside = uploads+acked, beside+other
	}
	for _, s := range pair {
		must(t, s.stop())
	}
	if left := first.stages(t); len(left) != 0 {
		t.Errorf("stages are left: %v", left)
	}
	if beside == 0 {
		t.Error("while one was dead the other has acknowledged nothing")
	}
	t.Logf("%d kills, %d uploads acknowledged, %d of them while the other server was dead: none lost, none partial or mixed", kills, uploads, beside)
}

// killOneOfTwo kills one of two servers, starts it again and looks. It returns how many
// uploads were acknowledged, and how many of them while one server was dead.
func killOneOfTwo(t *testing.T, pair *[2]*server, dead int, clients []*uploader) (uploads, beside int) {
	t.Helper()
	var all, others sync.WaitGroup
	var stop atomic.Bool
	for i, u := range clients {
		if i%2 == dead {
			all.Go(func() { u.run(pair[dead], nil) })
		} else {
			others.Go(func() {
				if err := u.run(pair[1-dead], &stop); err != nil {
					t.Errorf("an upload through the server that lives: %v", err)
				}
			})
		}
	}
	time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // any moment will do
	pair[dead].cmd.Process.Kill()
	<-pair[dead].exited
	all.Wait()
	before := 0
	for i, u := range clients {
		if i%2 != dead {
			before += int(u.count.Load())
		}
	}
	var err error
	pair[dead], err = pair[1-dead].another(dead)
	must(t, err)
	stop.Store(true)
	others.Wait()
	eventually(t, "no stage is left", func() bool { return len(pair[dead].stages(t)) == 0 })
	for i, u := range clients {
		u.check(t, pair[i%2])
		acked := int(u.count.Swap(0))
		uploads += acked
		if i%2 != dead {
			beside += acked
		}
	}
	return uploads, beside - before
}

// killOnce serves, kills, serves again and looks. It returns how many uploads
// were acknowledged.
func killOnce(t *testing.T, dir string, clients []*uploader) (uploads int) {
	t.Helper()
	s, err := startServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, u := range clients {
		all.Go(func() { u.run(s, nil) })
	}
	time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // any moment will do
	s.cmd.Process.Kill()
	<-s.exited
	all.Wait()

	s, err = startServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}()
	if left := s.stages(t); len(left) != 0 {
		t.Errorf("stages are left after a restart: %v", left)
	}
	known := 0
	for _, u := range clients {
		u.check(t, s)
		uploads += int(u.count.Swap(0))
		known += len(u.tried)
	}
	if all, err := os.ReadDir(s.library); err != nil || len(all) > known+1 {
		t.Errorf("%d names are there, %d were uploaded: %v", len(all), known, err)
	}
	return uploads
}

// uploader is a client that remembers what it was told.
type uploader struct {
	id     int
	number uint32
	count  atomic.Int64
	acked  map[string]version // the last that the server acknowledged
	tried  map[string]version // the last that was begun
}

// run uploads until the server is gone, which is the error, or until it is told to stop.
func (u *uploader) run(s *server, stop *atomic.Bool) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.close()
	for stop == nil || !stop.Load() {
		u.number++
		v := version{u.number, uint32(rand.IntN(1 << (10 + rand.IntN(14))))} // to 8 MiB, small ones more often
		name := fmt.Sprintf("%d-replaced-%d", u.id, u.number%3)
		if u.number%2 == 0 {
			name = fmt.Sprintf("%d-new-%d", u.id, u.number)
		}
		u.tried[name] = v
		if err := c.upload(name, v.bytes()); err != nil {
			return err
		}
		u.acked[name] = v
		u.count.Add(1)
	}
	return nil
}

// check compares what is there with what it was told.
func (u *uploader) check(t *testing.T, s *server) {
	t.Helper()
	for name, tried := range u.tried {
		acked, ok := u.acked[name]
		b, err := os.ReadFile(filepath.Join(s.library, name))
		if errors.Is(err, fs.ErrNotExist) && !ok {
			delete(u.tried, name) // it never came to be
			continue
		}
		got, err := version{}, err
		if err == nil {
			got, err = readVersion(b)
		}
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case got != tried && (!ok || got != acked):
			t.Errorf("%s holds version %d; %d was acknowledged, %d was under way", name, got.number, acked.number, tried.number)
		}
		u.acked[name], u.tried[name] = got, got
		if name == fmt.Sprintf("%d-new-%d", u.id, got.number) {
			os.Remove(filepath.Join(s.library, name)) // it was seen; do not fill the disk
			delete(u.tried, name)
			delete(u.acked, name)
		}
	}
}
