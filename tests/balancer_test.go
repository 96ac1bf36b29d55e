package tests

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/sftp"
)

// TestBalancer has three servers share a library behind haproxy, with the
// configuration of the guide for operators. One of them is killed every few seconds.
// What clients are told must be as if each request had been done at one moment.
func TestBalancer(t *testing.T) {
	oneServer(t, "three servers as it is")
	need(t, "haproxy")
	duration := orInFull(16*time.Second, 5*time.Minute)
	if testing.Short() {
		duration = 4 * time.Second
	}
	b := startBalanced(t, &balanced{serves: "library = \"library\""})
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
	b.swept(t)
	if *torture {
		b.orphan(t)
	}
	t.Logf("%d requests, %d servers killed", requests, kills)
}

// balanced is three servers and what is before them.
type balanced struct {
	*linearRun
	serves  string // the settings of the library
	apart   bool   // each server has a state folder of its own, as on another machine
	library string
	servers [3]*server
	ports   [3]struct{ ssh, admin string }
	addr    string // of haproxy
}

func startBalanced(t *testing.T, b *balanced) *balanced {
	t.Helper()
	if b.linearRun == nil {
		b.linearRun = &linearRun{dir: t.TempDir(), seed: rand.Uint64()}
	}
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
	if b.apart {
		s.state = fmt.Sprintf("%s-%d", s.state, n)
		must(t, s.plantHostKey())
	}
	file := filepath.Join(b.dir, fmt.Sprintf("shelfd-%d.toml", n))
	must(t, os.WriteFile(file, fmt.Appendf(nil, `proxy_protocol = ["127.0.0.1"]
admin_listen = %q
admin_socket = "admin-%d.sock"
per_source_max_startups = 0
max_startups = "1000:30:1000"
%s
[accounts.ada]
authorized_keys_file = "id.pub"
permissions = ["admin"]
`, b.ports[n].admin, n, b.serves), 0o600))
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
	b.kill(killed)
	time.Sleep(time.Duration(lot.IntN(500)) * time.Millisecond)
	b.serve(t, killed)
	stop.Store(true)
	all.Wait()
	// What a client had asked for before it was gone belongs to this epoch.
	eventually(t, "nobody is on", func() bool {
		return !slices.ContainsFunc(b.who(t), func(all string) bool { return all != "[]" })
	})
}

// resume cuts an upload on one server, and goes on with it through another: that one is
// dead by then. First the client is gone, and then the server, which had synced what it
// had when it was killed.
func (b *balanced) resume(t *testing.T) {
	t.Helper()
	for n, cut := range []func(c *client, f *sftp.File, server int){
		func(c *client, _ *sftp.File, server int) {
			c.cut(true)
			eventually(t, "what had arrived is kept", func() bool {
				kept, err := os.ReadDir(filepath.Join(b.library, ".shelf", "partials"))
				return err == nil && len(kept) == 1
			})
			b.kill(server)
		},
		func(_ *client, f *sftp.File, server int) {
			must(t, f.Sync())
			b.kill(server)
		},
	} {
		name, want := fmt.Sprintf("resumed-%d", n), content(uint64(n), 3<<20)
		c, err := b.connect()
		must(t, err)
		f, err := c.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		must(t, err)
		_, err = f.Write(want[:2<<20])
		must(t, err)
		server := b.serverOf(t, name)
		cut(c, f, server)
		c.close()
		b.goOn(t, name, want)
		b.serve(t, server)
	}
}

// kill is kill -9.
func (b *balanced) kill(n int) {
	b.servers[n].cmd.Process.Kill()
	<-b.servers[n].exited
}

// serverOf is the server through which a file is uploaded.
func (b *balanced) serverOf(t *testing.T, name string) (server int) {
	t.Helper()
	eventually(t, "a server has the upload of "+name, func() bool {
		server = slices.IndexFunc(b.who(t), func(all string) bool { return strings.Contains(all, `"`+name+`"`) })
		return server >= 0
	})
	return server
}

// who is what each server says of who is on.
func (b *balanced) who(t *testing.T) (all []string) {
	t.Helper()
	for n := range b.servers {
		socket := filepath.Join(b.dir, fmt.Sprintf("admin-%d.sock", n))
		out, err := exec.Command("shelfd", "who", "--json", "--admin-socket", socket).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		all = append(all, strings.TrimSpace(string(out)))
	}
	return all
}

// goOn finishes an upload that was cut, from where its beginning ends.
func (b *balanced) goOn(t *testing.T, name string, want []byte) {
	t.Helper()
	var c *client
	eventually(t, "the beginning of "+name+" is there", func() bool {
		next, err := b.connect()
		if err != nil {
			return false
		}
		if i, err := next.Stat(name); err == nil && i.Size() > 0 {
			c = next
			return true
		}
		next.close()
		return false
	})
	defer c.close()
	f, err := c.OpenFile(name, os.O_RDWR|os.O_CREATE)
	must(t, err)
	i, err := f.Stat()
	must(t, err)
	_, err = f.WriteAt(want[i.Size():], i.Size())
	must(t, errors.Join(err, f.Close()))
	got, err := c.download(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("what was gone on with is not what was sent: %v", err)
	}
	must(t, c.Remove(name))
}

// orphan has a server die with an upload under way, and not come again: the others
// remove what it has left.
func (b *balanced) orphan(t *testing.T) {
	t.Helper()
	c, err := b.connect()
	must(t, err)
	defer c.close()
	f, err := c.OpenFile("orphan", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	must(t, err)
	_, err = f.Write(content(1, 1<<20))
	must(t, err)
	server := b.serverOf(t, "orphan")
	b.kill(server)
	killed := time.Now()
	if left, err := hidden(b.library); err != nil || len(left) == 0 {
		t.Errorf("a server was killed in the midst of an upload, and nothing is left: %v", err)
	}
	b.swept(t)
	t.Logf("what a dead server left is gone after %v", time.Since(killed).Round(time.Second))
	b.serve(t, server)
}

// swept waits, up to a minute, until nothing is left of uploads.
func (b *balanced) swept(t *testing.T) {
	t.Helper()
	eventually(t, "what dead servers left is gone", func() bool {
		left, err := hidden(b.library)
		return err == nil && len(left) == 0
	})
}
