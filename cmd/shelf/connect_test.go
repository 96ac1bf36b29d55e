package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// accept listens, and has each connection served until the test ends.
func accept(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(nc) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// jump starts a server that leads to others, as forward does it, and lets the
// same people in.
func (s *server) jump(t *testing.T, forward func(to string, c ssh.Channel)) (addr string) {
	t.Helper()
	return accept(t, func(nc net.Conn) { s.lead(nc, forward) })
}

func (s *server) lead(nc net.Conn, forward func(to string, c ssh.Channel)) {
	conn, channels, requests, err := ssh.NewServerConn(nc, s.config)
	if err != nil {
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	var all sync.WaitGroup
	for next := range channels {
		var to struct {
			Host     string
			Port     uint32
			From     string
			FromPort uint32
		}
		ssh.Unmarshal(next.ExtraData(), &to)
		c, requests, err := next.Accept()
		if err != nil {
			break
		}
		go ssh.DiscardRequests(requests)
		all.Go(func() { forward((&net.TCPAddr{IP: net.ParseIP(to.Host), Port: int(to.Port)}).String(), c) })
	}
	all.Wait()
}

// forward leads on until one of both ends.
func forward(to string, c ssh.Channel) {
	defer c.Close()
	nc, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer nc.Close()
	go func() { io.Copy(c, nc); c.Close() }()
	io.Copy(nc, c)
}

// ignore lets the other end wait.
func ignore(_ string, c ssh.Channel) { io.Copy(io.Discard, c) }

// configured writes an ssh_config.
func configured(t *testing.T, lines ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "ssh_config")
	save(t, file, strings.Join(lines, "\n")+"\n")
	return file
}

func (s *server) dialer(file string, more ...string) (*dialer, error) {
	var out bytes.Buffer
	o := options{ui: &ui{streams: streams{nil, &out, &out}}, identities: []string{s.identity}, knownHosts: s.known, acceptNew: true, jump: strings.Join(more, ",")}
	config, err := readSSHConfig(o.ui, file)
	return newDialer(o, config), err
}

// within fails a test that hangs.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("it was not done after %v", limit)
	}
}

// A server behind others is reached by way of them, and by way of those that
// these need; when it is left, all are.
func TestJumps(t *testing.T) {
	s := newServer(t, map[string]string{"f": "text"})
	a, b := s.jump(t, forward), s.jump(t, forward)
	split := func(addr string) string {
		_, port, _ := net.SplitHostPort(addr)
		return "HostName 127.0.0.1\nUser ada\nIdentityFile " + s.identity + "\nPort " + port
	}
	file := configured(t, "Host a b t circle", "IdentityFile "+s.identity, "Host a", split(a), "Host b", split(b), "ProxyJump a",
		"Host c", split(b), "ProxyCommand nc",
		"Host t", split(s.addr), "ProxyJump b", "Host circle", split(a), "ProxyJump circle")
	for _, args := range [][]string{{"-J", "a,b", s.addr}, {"-J", "a,c", s.addr}, {"-J", "b", s.addr}, {"t"}} {
		for range 2 {
			status, out, errs := s.run(t, "", append([]string{"-v", "--accept-new", "-F", file}, append(args, "list")...)...)
			want(t, status, 0, out+errs, "f\n", "by way of ada@"+a, "by way of ada@"+b)
		}
	}
	status, _, errs := s.run(t, "", "--accept-new", "-F", file, "circle", "list")
	want(t, status, exitUsage, errs, "circle in ssh_config")
	status, _, errs = s.run(t, "", "-F", file, "-J", "c", s.addr, "list")
	want(t, status, exitUsage, errs, "ProxyCommand for c")
}

// A server that is silent behind one that works is left, as any is.
func TestSilentBehindJump(t *testing.T) {
	s := newServer(t, nil)
	via := s.jump(t, ignore)
	d, err := s.dialer(configured(t, "IdentityFile "+s.identity), via)
	if err != nil {
		t.Fatal(err)
	}
	to, err := d.config.resolve(destination{host: "127.0.0.1", port: 1}, d.options, sshPort)
	if err != nil {
		t.Fatal(err)
	}
	d.limit = 200 * time.Millisecond
	within(t, 20*time.Second, func() { _, err = d.dial(t.Context(), to) })
	if e := (*exitError)(nil); !errors.As(err, &e) || e.status != exitConnect || !strings.Contains(err.Error(), "not let us in within 200ms") {
		t.Errorf("it ended with %v", err)
	}
}

// While a person thinks, the clock stands still.
func TestClock(t *testing.T) {
	c := startClock(context.Background(), 50*time.Millisecond)
	resume := c.pause()
	select {
	case <-c.Done():
		t.Fatal("it went on")
	case <-time.After(200 * time.Millisecond):
	}
	resume()
	<-c.Done()
	if err := c.explain(io.EOF); !strings.Contains(err.Error(), "within 50ms") {
		t.Error(err)
	}
	c.stop()
}

// stuck is a connection as it is behind a jump: it knows no deadlines.
type stuck struct {
	net.Conn
	gone chan struct{}
}

func (s stuck) Write([]byte) (int, error)        { <-s.gone; return 0, net.ErrClosed }
func (s stuck) Close() error                     { close(s.gone); return nil }
func (s stuck) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// A connection that takes nothing any more can be closed all the same.
func TestCloseStuck(t *testing.T) {
	o := newOutbox(stuck{gone: make(chan struct{})})
	o.Write([]byte("a last word"))
	within(t, 20*time.Second, func() { o.Close() })
}

// Servers can tell us from other programs.
func TestClientVersion(t *testing.T) {
	s := newServer(t, nil)
	status, _, errs := s.run(t, "", s.addr, "list")
	want(t, status, 0, errs)
	if got := string(s.last.Load().ClientVersion()); !regexp.MustCompile(`^SSH-2\.0-shelf(_[^- ]+)?$`).MatchString(got) {
		t.Errorf("we are %q", got)
	}
}
