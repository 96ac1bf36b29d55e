package tests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestUpgrade has one server follow another again and again with "shelfd upgrade".
// Clients put and get all the time, each file on a new connection: none is refused,
// none is cut, and all is as it was put.
func TestUpgrade(t *testing.T) {
	u := upgrades{sizes: 8 << 20}
	count := 10
	if *torture {
		count, u.sizes = 200, 200<<20
	}
	if testing.Short() {
		count = 3
	}
	u.server = supervise(t, fmt.Sprintf("admin_listen = %q\n", freeAddress(t))+upgradable)
	var stop atomic.Bool
	var clients sync.WaitGroup
	for n := range 8 {
		clients.Go(func() {
			for i := 0; !stop.Load() && !t.Failed(); i++ {
				if err := u.putAndGet(n, i); err != nil {
					t.Errorf("client %d, file %d: %v", n, i, err)
				}
			}
		})
	}
	var took []float64
	for n := 0; n < count && !t.Failed(); n++ {
		seconds, err := u.upgrade()
		if err != nil {
			t.Error(err)
		}
		took = append(took, seconds)
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
	}
	stop.Store(true)
	clients.Wait()
	t.Logf("%d files put and got, %d MB moved, over %d upgrades, each healthy after %.2f s, 9 of 10 after %.2f s, %.2f s at most",
		u.done.Load(), u.moved.Load()/1e6, len(took), part(took, 0.5), part(took, 0.9), slices.Max(took))
	must(t, u.stop())
	if said := u.stderr.String(); strings.Contains(said, "cut off") || strings.Contains(said, "by itself") {
		t.Errorf("not all ended well:\n%s", said)
	}
	if left := u.stages(t); len(left) != 0 {
		t.Errorf("stages are left: %v", left)
	}
	logs, err := filepath.Glob(filepath.Join(u.dir, "audit*"))
	if err != nil || len(logs) < 2 {
		t.Errorf("the audit logs are %v, %v", logs, err)
	}
	for _, file := range logs {
		if out, err := exec.Command("shelfd", "audit", "verify", "--state", u.state, file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// part is what so large a part of all does not pass.
func part(all []float64, of float64) float64 {
	slices.Sort(all)
	return all[int(of*float64(len(all)-1))]
}

// upgradable is the configuration of a server that takes its time to end.
const upgradable = `library = "library"
state = "state"
audit_log = "audit.jsonl"
grace = "1h"
per_source_max_startups = 0
max_startups = "1000:30:1000"
[accounts.ada]
authorized_keys_file = "id.pub"
permissions = ["admin"]
`

// upgrades is a server that is upgraded while files are put and got.
type upgrades struct {
	*server
	sizes int64        // bytes of the largest file
	done  atomic.Int64 // files put and got
	moved atomic.Int64 // bytes put and got
}

// supervise starts a supervisor and its first server.
func supervise(t *testing.T, toml string) *server {
	t.Helper()
	s, err := newServer(t.TempDir())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(s.dir, "shelfd.toml"), []byte(toml), 0o600))
	s.cmd = exec.Command("shelfd", "supervise", "--config", filepath.Join(s.dir, "shelfd.toml"), "--listen", "127.0.0.1:0")
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, s.stdout, s.stderr
	must(t, s.cmd.Start())
	go func() { s.exit = s.cmd.Wait(); close(s.exited) }()
	stopAtEnd(t, s)
	must(t, s.awaitAddr())
	must(t, s.writeConfig())
	return s
}

var healthyAfter = regexp.MustCompile(`serves now, after ([0-9.]+) s;`)

// upgrade tells after how many seconds the new server was healthy.
func (s *server) upgrade() (took float64, err error) {
	said, err := s.tryOperate("upgrade")
	if m := healthyAfter.FindStringSubmatch(said); err == nil && m != nil {
		return strconv.ParseFloat(m[1], 64)
	}
	return 0, fmt.Errorf("shelfd upgrade: %w\n%s", err, said)
}

// putAndGet puts a file over the one before and gets it, each on a connection of its
// own.
func (u *upgrades) putAndGet(who, n int) error {
	seed, size := uint64(who)<<32+uint64(n), 1<<20+rand.Int64N(u.sizes-1<<20+1)
	name := fmt.Sprintf("file-%d", who)
	if err := u.session(func(c *client) error { return putRandom(c, name, seed, size) }); err != nil {
		return fmt.Errorf("put %d bytes: %w", size, err)
	}
	if err := u.session(func(c *client) error { return getRandom(c, name, seed, size) }); err != nil {
		return fmt.Errorf("get %d bytes: %w", size, err)
	}
	u.done.Add(1)
	u.moved.Add(2 * size)
	return nil
}

// putRandom uploads random bytes.
func putRandom(c *client, name string, seed uint64, size int64) error {
	f, err := c.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.ReadFrom(io.LimitReader(randomBytes(seed), size))
	return errors.Join(err, f.Close())
}

// getRandom downloads a file, which must be these bytes and no others.
func getRandom(c *client, name string, seed uint64, size int64) error {
	f, err := c.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	same := &comparison{with: bufio.NewReaderSize(io.LimitReader(randomBytes(seed), size), 64<<10)}
	if _, err = f.WriteTo(same); err != nil {
		return err
	}
	if same.n != size {
		return fmt.Errorf("it has %d bytes", same.n)
	}
	return nil
}

// comparison fails at the first byte that is another one.
type comparison struct {
	with io.Reader
	n    int64
	want []byte
}

func (c *comparison) Write(p []byte) (int, error) {
	c.want = slices.Grow(c.want[:0], len(p))[:len(p)]
	if n, err := io.ReadFull(c.with, c.want); err != nil {
		return 0, fmt.Errorf("it goes on after %d bytes", c.n+int64(n))
	}
	if !bytes.Equal(p, c.want) {
		return 0, fmt.Errorf("it is not what was put, after %d bytes", c.n)
	}
	c.n += int64(len(p))
	return len(p), nil
}

// session is one connection to whichever server accepts it.
func (u *upgrades) session(do func(*client) error) error {
	c, err := u.connect()
	if err != nil {
		return err
	}
	defer c.close()
	return do(c)
}
