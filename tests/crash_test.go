package tests

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestServerKilled kills the server with SIGKILL at random moments while eight
// clients upload new files and replace old ones, and starts it again on what is
// left: 20 times, or with -torture 1,000 times. What was acknowledged must be
// there, all that is visible must be whole, and nothing hidden may stay.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	kills := 20
	if *torture {
		kills = 1000
	}
	if testing.Short() {
		kills = 5
	}
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
		all.Go(func() { u.run(s) })
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
		uploads += u.count
		u.count = 0
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
	count  int
	acked  map[string]version // the last that the server acknowledged
	tried  map[string]version // the last that was begun
}

// run uploads until the server is gone.
func (u *uploader) run(s *server) {
	c, err := s.connect()
	if err != nil {
		return
	}
	defer c.close()
	for {
		u.number++
		v := version{u.number, uint32(rand.IntN(1 << (10 + rand.IntN(14))))} // to 8 MiB, small ones more often
		name := fmt.Sprintf("%d-replaced-%d", u.id, u.number%3)
		if u.number%2 == 0 {
			name = fmt.Sprintf("%d-new-%d", u.id, u.number)
		}
		u.tried[name] = v
		if c.upload(name, v.bytes()) != nil {
			return
		}
		u.acked[name] = v
		u.count++
	}
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
