package tests

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestBalancer has three servers share a library behind haproxy, with the
// configuration of the guide for operators. One of them is killed every few seconds.
// What clients are told must be as if each request had been done at one moment.
func TestBalancer(t *testing.T) {
	need(t, "haproxy")
	duration := 16 * time.Second
	if *torture {
		duration = 5 * time.Minute
	}
	if testing.Short() {
		duration = 4 * time.Second
	}
	b := startBalanced(t)
	var checking sync.WaitGroup
	defer checking.Wait()
	requests, kills := 0, 0
	for end := time.Now().Add(duration); time.Now().Before(end) && !t.Failed(); kills++ {
		e := b.newEpoch("")
		b.ask(t, e)
		must(t, b.lookThrough(e, b.connect))
		requests += len(e.all)
		for _, w := range e.wrong {
			t.Error(w)
		}
		checking.Go(func() { e.check(t) })
	}
	b.resume(t)
	eventually(t, "what dead servers left is gone", func() bool {
		left, err := hidden(b.library)
		return err == nil && len(left) == 0
	})
	t.Logf("%d requests, %d servers killed", requests, kills)
}

// balanced is three servers and what is before them.
type balanced struct {
	*linearRun
	library string
	servers [3]*server
	ports   [3]struct{ ssh, admin string }
	addr    string // of haproxy
}

func startBalanced(t *testing.T) *balanced {
	t.Helper()
	b := &balanced{linearRun: &linearRun{dir: t.TempDir(), seed: rand.Uint64()}}
	b.library = filepath.Join(b.dir, "library")
	t.Logf("seed %d", b.seed)
	must(t, b.fill())
	text := readText(t, "../contrib/haproxy.cfg")
	for n := range b.servers {
		b.ports[n].ssh, b.ports[n].admin = freeAddress(t), freeAddress(t)
		was := fmt.Sprintf("10.0.0.1%d", n+1)
		text = strings.Replace(text, was+":2222 port 9222", b.ports[n].ssh+" port "+portOf(b.ports[n].admin), 1)
		b.serve(t, n)
		t.Cleanup(func() { b.servers[n].stop() })
	}
	b.addr = freeAddress(t)
	text = strings.Replace(text, "bind :2222", "bind "+b.addr, 1)
	file := filepath.Join(b.dir, "haproxy.cfg")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	cmd := exec.Command("haproxy", "-db", "-f", file)
	said := newOutput()
	cmd.Stdout, cmd.Stderr = said, said
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("haproxy: %s", said)
		}
	})
	eventually(t, "clients are served through haproxy", func() bool {
		c, err := b.connect()
		if err == nil {
			c.close()
		}
		return err == nil
	})
	return b
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// serve starts the server n, and waits until it is ready.
func (b *balanced) serve(t *testing.T, n int) {
	t.Helper()
	s, err := newServer(b.dir)
	must(t, err)
	s.config = fmt.Sprintf("%s-%d", s.config, n)
	file := filepath.Join(b.dir, fmt.Sprintf("shelfd-%d.toml", n))
	must(t, os.WriteFile(file, fmt.Appendf(nil, `library = "library"
proxy_protocol = ["127.0.0.1"]
admin_listen = %q
admin_socket = "admin-%d.sock"
per_source_max_startups = 0
max_startups = "1000:30:1000"
partial_min_size = 1
[accounts.ada]
authorized_keys_file = "id.pub"
permissions = ["admin"]
`, b.ports[n].admin, n), 0o600))
	must(t, s.start([]string{"--config", file, "--listen", b.ports[n].ssh}))
	b.servers[n] = s
	eventually(t, "the server is ready", func() bool {
		answer, err := http.Get("http://" + b.ports[n].admin + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

func (b *balanced) connect() (*client, error) {
	s := server{addr: b.addr, identity: filepath.Join(b.dir, "id")}
	return s.connect()
}

// ask has clients ask for some seconds, in which one server is killed and started
// again.
func (b *balanced) ask(t *testing.T, e *epoch) {
	t.Helper()
	b.lives++
	lot := rand.New(rand.NewPCG(b.seed, uint64(b.lives)<<32))
	var stop atomic.Bool
	var all sync.WaitGroup
	for i := range linearClients {
		l := &linearClient{id: i, h: e.history, last: &b.last, dial: b.connect,
			lot: rand.New(rand.NewPCG(b.seed, uint64(b.lives*linearClients+i)))}
		all.Go(func() { l.run(&stop) })
	}
	time.Sleep(time.Duration(500+lot.IntN(1000)) * time.Millisecond)
	killed := lot.IntN(len(b.servers))
	b.servers[killed].cmd.Process.Kill()
	<-b.servers[killed].exited
	time.Sleep(time.Duration(lot.IntN(500)) * time.Millisecond)
	b.serve(t, killed)
	stop.Store(true)
	all.Wait()
}

// resume cuts an upload, and finds its beginning through each of the servers.
func (b *balanced) resume(t *testing.T) {
	t.Helper()
	c, err := b.connect()
	must(t, err)
	f, err := c.OpenFile("resumed", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	must(t, err)
	_, err = f.Write(content(1, 3<<20))
	must(t, err)
	c.cut(true)
	for range 2 * len(b.servers) {
		next, err := b.connect()
		must(t, err)
		eventually(t, "the beginning is there", func() bool {
			i, err := next.Stat("resumed")
			return err == nil && i.Size() > 0
		})
		next.close()
	}
	last, err := b.connect()
	must(t, err)
	defer last.close()
	f, err = last.OpenFile("resumed", os.O_RDWR|os.O_CREATE)
	must(t, err)
	i, err := f.Stat()
	must(t, err)
	_, err = f.WriteAt(content(1, 3<<20)[i.Size():], i.Size())
	must(t, errors.Join(err, f.Close()))
	got, err := last.download("resumed")
	if err != nil || string(got) != string(content(1, 3<<20)) {
		t.Errorf("what was gone on with is not what was sent: %v", err)
	}
	if err := last.Remove("resumed"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
