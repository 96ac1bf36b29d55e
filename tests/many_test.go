package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	manyClients = 50
	maxContent  = 1 << 20 // bytes of a file that one of many copies

	// maxGrowth is how much more may be resident after the crowd than before,
	// in bytes: a fraction of what they had in flight. The race detector has a
	// memory of its own.
	maxGrowth = manyClients * maxContent / 2
)

// TestManyClients has fifty people list, put and get files of their own at
// once, each in a session kept open: for a few rounds, or with -torture for a
// minute. When they have gone the server holds nothing more than before.
func TestManyClients(t *testing.T) {
	// Garbage is collected so often that what is resident is what is held.
	t.Setenv("GOGC", "20")
	s := serve(t)
	warmUp(t, s)
	idle := s.resources(t)
	s.crowd(t)
	eventually(t, fmt.Sprintf("the server is back to %d open descriptors", idle.descriptors), func() bool {
		return len(s.descriptors(t)) <= idle.descriptors
	})
	after := s.resources(t)
	t.Logf("resident: %d MiB idle, %d MiB after the crowd", idle.resident>>20, after.resident>>20)
	if !raceEnabled && after.resident > idle.resident+maxGrowth {
		t.Errorf("the crowd made the server grow from %d to %d MiB", idle.resident>>20, after.resident>>20)
	}
	if left := s.stages(t); len(left) != 0 {
		t.Errorf("stages left when all is done: %v", left)
	}
}

// crowd runs all clients at once, to their end or to the first error.
func (s *server) crowd(t *testing.T) {
	t.Helper()
	rounds, until := 2, time.Time{}
	if *torture {
		until = time.Now().Add(time.Minute)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var all sync.WaitGroup
	for n := range manyClients {
		all.Go(func() {
			if err := s.oneOfMany(ctx, n, rounds, until); err != nil {
				cancel(fmt.Errorf("client %d: %w", n, err))
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		t.Fatal(err)
	}
}

// warmUp lets the server open what it keeps open.
func warmUp(t *testing.T, s *server) {
	t.Helper()
	c, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.roundTrip("warm-up", content(0, 1)), c.close()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server closes the connection of a client that left", func() bool {
		return s.connections(t) == 0
	})
}

// oneOfMany is one person's work: rounds of it, and on until the time given.
func (s *server) oneOfMany(ctx context.Context, n, rounds int, until time.Time) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.close()
	for round := 0; round < rounds || time.Now().Before(until); round++ {
		if ctx.Err() != nil {
			return nil // another one's error ended it
		}
		name := fmt.Sprintf("client %d file %d", n, round%4)
		seed := uint64(n)<<32 | uint64(round)
		size := int64(seed * 2654435761 % maxContent)
		if err := c.roundTrip(name, content(seed, size)); err != nil {
			return fmt.Errorf("round %d, %d bytes: %w", round, size, err)
		}
	}
	return nil
}

// roundTrip puts a file, finds it in the listing and gets it again.
func (c *client) roundTrip(name string, want []byte) error {
	if err := c.upload(name, want); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := c.findListed(name, int64(len(want))); err != nil {
		return fmt.Errorf("list: %w", err)
	}
	got, err := c.download(name)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	if !bytes.Equal(got, want) {
		return errors.New("get: the bytes are not those that were put")
	}
	return nil
}

func (c *client) findListed(name string, size int64) error {
	files, err := c.ReadDir("/")
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Name() == name && f.Size() == size {
			return nil
		}
	}
	return fmt.Errorf("%q with %d bytes is not there", name, size)
}

// upload puts a file as clients do: create, truncate, write, close.
func (c *client) upload(name string, content []byte) error {
	f, err := c.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.ReadFrom(bytes.NewReader(content))
	return errors.Join(err, f.Close())
}

func (c *client) download(name string) ([]byte, error) {
	f, err := c.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// resources is what a server process holds.
type resources struct {
	descriptors int
	resident    int64 // bytes
}

// resources looks into /proc; elsewhere than on Linux it is all zero.
func (s *server) resources(t testing.TB) resources {
	if runtime.GOOS != "linux" {
		return resources{}
	}
	var pages, resident int64
	if _, err := fmt.Sscan(s.proc(t, "statm"), &pages, &resident); err != nil {
		t.Fatal(err)
	}
	return resources{len(s.descriptors(t)), resident * int64(os.Getpagesize())}
}

// connections counts the server's TCP connections, its listeners not among them.
func (s *server) connections(t testing.TB) int {
	const listening = "0A" // of proc_net_tcp(5)
	connected := make(map[string]bool)
	for line := range strings.Lines(s.proc(t, "net/tcp") + s.proc(t, "net/tcp6")) {
		if f := strings.Fields(line); len(f) > 9 && f[3] != listening {
			connected["socket:["+f[9]+"]"] = true
		}
	}
	n := 0
	for _, target := range s.descriptors(t) {
		if connected[target] {
			n++
		}
	}
	return n
}

// descriptors tells what the server's open descriptors stand for.
func (s *server) descriptors(t testing.TB) []string {
	if runtime.GOOS != "linux" {
		return nil
	}
	folder := fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, e := range entries {
		// One that is closed meanwhile is no longer held.
		if target, err := os.Readlink(folder + "/" + e.Name()); err == nil {
			targets = append(targets, target)
		}
	}
	return targets
}

func (s *server) proc(t testing.TB, file string) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
