package main

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelf/connect"
	"shelf/cmd/shelf/ui"
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
	want(t, status, exitUsage, errs, "is there a circle in the ProxyJump lines")
	status, _, errs = s.run(t, "", "-F", file, "-J", "c", s.addr, "list")
	want(t, status, exitUsage, errs, "ProxyCommand for c")
}

// A server that is silent behind one that works is left, as any is.
func TestSilentBehindJump(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	o := connect.Options{UI: &ui.UI{Err: io.Discard}, Identities: []string{s.identity}, KnownHosts: s.known, AcceptNew: true, Jump: s.jump(t, ignore),
		Config: configured(t, "IdentityFile "+s.identity), LoginTime: 200 * time.Millisecond}
	to, err := connect.Find(o, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, func() { _, err = to.Dial(t.Context()) })
	if e := (*connect.Error)(nil); !errors.As(err, &e) || e.Kind != connect.Unreachable || !strings.Contains(err.Error(), "no login within 200ms") {
		t.Errorf("it ended with %v", err)
	}
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
