package tests

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestUpgrade replaces a server by another again and again, each with the listening
// socket that this process holds, as systemd would. Clients put and get all the time,
// each file on a new connection: none is refused, none is cut, and all is as it was
// put.
func TestUpgrade(t *testing.T) {
	u := upgrades{dir: t.TempDir(), count: 10, sizes: 8 << 20}
	if *torture {
		u.count, u.sizes = 200, 200<<20
	}
	if testing.Short() {
		u.count = 3
	}
	u.listen(t)
	serving := u.start(t)
	var stop atomic.Bool
	var clients sync.WaitGroup
	var done atomic.Int64
	for n := range 8 {
		clients.Go(func() {
			for i := 0; !stop.Load() && !t.Failed(); i++ {
				if err := u.putAndGet(n, i); err != nil {
					t.Errorf("client %d, file %d: %v", n, i, err)
				}
				done.Add(1)
			}
		})
	}
	var longest time.Duration
	var ending sync.WaitGroup
	for range u.count {
		begun := time.Now()
		next := u.start(t)
		longest = max(longest, time.Since(begun))
		old := serving
		ending.Go(func() { u.end(t, old) })
		serving = next
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		if t.Failed() {
			break
		}
	}
	stop.Store(true)
	clients.Wait()
	ending.Wait()
	u.end(t, serving)
	t.Logf("%d files put and got over %d upgrades; a server served after %v at most", done.Load(), u.count, longest)
	if left := serving.stages(t); len(left) != 0 {
		t.Errorf("stages are left: %v", left)
	}
}

// upgrades is one socket, and one server after the other.
type upgrades struct {
	dir    string
	count  int
	sizes  int64 // bytes of the largest file
	socket *os.File
	addr   string
}

func (u *upgrades) listen(t *testing.T) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err == nil {
		u.addr = l.Addr().String()
		u.socket, err = l.File()
	}
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	t.Cleanup(func() { u.socket.Close() })
	must(t, os.WriteFile(filepath.Join(u.dir, "shelfd.toml"), []byte(`library = "library"
state = "state"
grace = "1h"
per_source_max_startups = 0
max_startups = "1000:30:1000"
[accounts.ada]
authorized_keys_file = "id.pub"
permissions = ["admin"]
`), 0o600))
}

// start starts a server with the socket, and waits until it serves.
func (u *upgrades) start(t *testing.T) *server {
	t.Helper()
	s, err := newServer(u.dir)
	must(t, err)
	// LISTEN_PID is the process of the server, which is known when it is there.
	s.cmd = exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", "shelfd", "serve", "--config", "shelfd.toml")
	s.cmd.Dir = u.dir
	s.cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=ssh")
	s.cmd.ExtraFiles = []*os.File{u.socket}
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	must(t, s.cmd.Start())
	t.Cleanup(func() { s.cmd.Process.Kill() })
	go func() { s.exit = s.cmd.Wait(); close(s.exited) }()
	must(t, s.awaitAddr())
	if s.addr != u.addr {
		t.Fatalf("it listens on %s, and not where the socket is, %s", s.addr, u.addr)
	}
	return s
}

// end stops a server, and waits until its last transfer has ended.
func (u *upgrades) end(t *testing.T, s *server) {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(10 * patience):
		t.Error("a server does not end")
		return
	}
	if s.exit != nil || strings.Contains(s.stderr.String(), "cut off") {
		t.Errorf("it ended with %v\n%s", s.exit, s.stderr)
	}
}

// putAndGet puts a file over the one before and gets it, each on a connection of its
// own.
func (u *upgrades) putAndGet(who, n int) error {
	want := content(uint64(who*1000+n), 1<<20+rand.Int64N(u.sizes-1<<20))
	name := fmt.Sprintf("file-%d", who)
	if err := u.session(func(c *client) error { return c.upload(name, want) }); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return u.session(func(c *client) error {
		got, err := c.download(name)
		if err == nil && !bytes.Equal(got, want) {
			err = errors.New("it is not what was put")
		}
		if err != nil {
			return fmt.Errorf("get: %w", err)
		}
		return nil
	})
}

// session is one connection to whichever server accepts it.
func (u *upgrades) session(do func(*client) error) error {
	s := server{addr: u.addr, identity: filepath.Join(u.dir, "id")}
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.close()
	return do(c)
}
