package sshd

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shelf/sshd/budget"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

func TestLoginRefused(t *testing.T) {
	s := serve(t, nil)
	for name, test := range map[string]struct {
		user string
		auth ssh.AuthMethod
		want string // in the reason of the event
	}{
		"another key":         {"ana", ssh.PublicKeys(newKey(t)), "is not authorized"},
		"no account":          {"bob\n\x1b", ssh.PublicKeys(s.key), "no account"},
		"a password":          {"ana", ssh.Password("ana"), "login failed: no acceptable key or password was offered"},
		"nothing":             {"ana", nil, "login failed: no acceptable key or password was offered"},
		"another's signature": {"ana", ssh.PublicKeys(forger{s.key, newKey(t)}), "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			s.events.mu.Lock()
			s.events.all = nil
			s.events.mu.Unlock()
			c := s.clientConfig()
			c.User, c.Auth = test.user, []ssh.AuthMethod{test.auth}
			if test.auth == nil {
				c.Auth = nil
			}
			if client, err := ssh.Dial("tcp", s.address, c); err == nil {
				client.Close()
				t.Fatal("logged in")
			}
			e := s.events.await(t, OpRefusal)
			if e.Err == nil || !strings.Contains(e.Err.Error(), test.want) || e.Method != "" || e.KeyFingerprint != "" {
				t.Errorf("reported as %+v, want a reason with %q and no identity", e, test.want)
			}
			if _, ok := s.events.find(OpLogin); ok {
				t.Error("a login was reported")
			}
		})
	}
}

// forger shows one key and signs with another.
type forger struct {
	ssh.Signer
	other ssh.Signer
}

func (f forger) Sign(r io.Reader, data []byte) (*ssh.Signature, error) { return f.other.Sign(r, data) }

// The identity is that of the key that was proven last, whatever keys were offered
// or proven before.
func TestIdentityIsTheProvenKey(t *testing.T) {
	s := serve(t, nil)
	expired, good := newKey(t), newKey(t)
	s.authorize(t, good.PublicKey(), "\nexpiry-time=\"20200101\" "+
		strings.TrimSpace(string(ssh.MarshalAuthorizedKey(expired.PublicKey())))+"\n")
	c := s.clientConfig()
	var banner string
	c.BannerCallback = func(text string) error { banner += text; return nil }
	c.Auth = []ssh.AuthMethod{ssh.PublicKeys(newKey(t), expired, good)}
	client, err := ssh.Dial("tcp", s.address, c)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if e := s.events.await(t, OpLogin); e.KeyFingerprint != ssh.FingerprintSHA256(good.PublicKey()) {
		t.Errorf("logged in by %s, want the key that was good", e.KeyFingerprint)
	}
	if !strings.Contains(banner, "this key expired on") {
		t.Errorf("the owner of the other key was told %q", banner)
	}
}

func TestTriesAreCapped(t *testing.T) {
	s := serve(t, nil)
	var many []ssh.Signer
	// So many keys may be asked about for nothing, and then each is a try.
	for range 2 * testLimits().MaxAuthTries {
		many = append(many, newKey(t))
	}
	c := s.clientConfig()
	c.Auth = []ssh.AuthMethod{ssh.PublicKeys(append(many, s.key)...)}
	if client, err := ssh.Dial("tcp", s.address, c); err == nil {
		client.Close()
		t.Error("logged in after too many tries")
	}
}

// A client that stops at any point of the handshake is disconnected after the
// login grace time.
func TestLoginGraceTime(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.LoginGraceTime = 300 * time.Millisecond })
	for name, say := range map[string]string{
		"nothing":           "",
		"half a version":    "SSH-2.0-",
		"a version":         "SSH-2.0-Test\r\n",
		"half a packet":     "SSH-2.0-Test\r\n\x00\x00\x05\xdc\x04\x14abc",
		"a packet too soon": "SSH-2.0-Test\r\n\x00\x00\x00\x0c\x0a\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dialTCP(t)
			if _, err := io.WriteString(conn, say); err != nil {
				t.Fatal(err)
			}
			conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
				t.Error("the connection is still there")
			}
		})
	}
	if e := s.events.await(t, OpRefusal); !strings.Contains(e.Err.Error(), "grace time") {
		t.Errorf("the reason is %v", e.Err)
	}
	s.works(t)
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

func (s *testServer) dialTCP(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// The grace time does not end a connection that is logged in.
func TestLoginOutlivesGraceTime(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.LoginGraceTime = time.Second })
	client := s.dial(t)
	time.Sleep(1100 * time.Millisecond)
	if _, _, err := client.SendRequest("still-there", true, nil); err != nil {
		t.Error(err)
	}
}

func TestNotSSH(t *testing.T) {
	s := serve(t, nil)
	for name, say := range map[string]string{
		"HTTP":         "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"SSH 1":        "SSH-1.5-Old\r\n",
		"endless line": "SSH-2.0-" + strings.Repeat("x", 10<<10) + "\r\n",
		"no line":      strings.Repeat("\x00", 64<<10),
		"TLS":          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dialTCP(t)
			io.WriteString(conn, say) // fails if the server has refused already
			conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
				t.Error("the connection is still there")
			}
		})
	}
	s.works(t)
}

// When all slots are taken, who has waited longest makes room for who comes.
func TestStartupsAreCapped(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.MaxStartups = 3 })
	var waiting []*bufio.Reader
	for range 4 {
		conn := bufio.NewReader(s.dialTCP(t))
		if _, err := conn.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, conn)
	}
	if _, err := waiting[0].ReadByte(); err == nil || isTimeout(err) {
		t.Errorf("the first of four is still there (%v)", err)
	}
	if n := s.gate.waiting.Waiting(); n != 3 {
		t.Errorf("%d wait", n)
	}
	s.works(t)
	if e, ok := s.events.find(OpRefusal); ok {
		t.Errorf("reported: %+v", e)
	}
	eventually(t, "the log tells how many", func() bool {
		return strings.Contains(s.log.String(), "too many connections are waiting to log in (")
	})
}

// Who has logged in does not count among those who are about to, and is told
// when there are too many such.
func TestConnectionsAreCapped(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Limits.MaxStartups, c.Limits.MaxConnections = 1, 3
		c.Limits.SeveralAccounts = false
		c.Limits.Penalties.Exempt = nil
	})
	for n := range 3 {
		s.dial(t)
		s.awaitGate(t, n+1)
	}
	for range 5 {
		c, banner := s.clientConfig(), ""
		c.BannerCallback = func(text string) error { banner += text; return nil }
		if client, err := ssh.Dial("tcp", s.address, c); err == nil {
			client.Close()
			t.Fatal("one too many is let in")
		}
		if !strings.Contains(banner, "(max_connections)") {
			t.Fatalf("one too many was told %q", banner)
		}
	}
}

// awaitGate waits until so many connections are logged in, and nobody waits.
func (s *testServer) awaitGate(t *testing.T, all int) {
	t.Helper()
	eventually(t, "the count of connections", func() bool {
		s.gate.mu.Lock()
		defer s.gate.mu.Unlock()
		return s.gate.waiting.Waiting() == 0 && int(s.gate.budget.Used(budget.Connections)) == all
	})
}

func TestConnectionsGiveTheirPlaceBack(t *testing.T) {
	s := serve(t, nil)
	for range 5 {
		s.dialTCP(t).Close()
		s.dial(t).Close()
	}
	s.awaitGate(t, 0)
}

// freezer is a client's connection that can stop reading, as a suspended
// process does.
type freezer struct {
	net.Conn
	frozen atomic.Bool
	ended  chan struct{}
}

// login logs in over the connection.
func (f *freezer) login(t *testing.T, s *testServer) *ssh.Client {
	t.Helper()
	conn, channels, requests, err := ssh.NewClientConn(f, s.address, s.clientConfig())
	if err != nil {
		t.Fatal(err)
	}
	return ssh.NewClient(conn, channels, requests)
}

// isDropped waits until the server has closed the connection and checks its log.
func (f *freezer) isDropped(t *testing.T, s *testServer, client *ssh.Client) {
	t.Helper()
	s.events.await(t, OpLogout)
	close(f.ended)
	client.Close()
	if !strings.Contains(s.log.String(), errFrozen.Error()) {
		t.Errorf("the log does not say why:\n%s", s.log)
	}
}

func (f *freezer) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if f.frozen.Load() {
		<-f.ended
		return 0, io.EOF
	}
	return n, err
}

func TestFrozenClientIsDropped(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.ClientAliveInterval, c.Limits.ClientAliveCountMax = 50*time.Millisecond, 2 })
	f := &freezer{Conn: s.dialTCP(t), ended: make(chan struct{})}
	client := f.login(t, s)
	f.frozen.Store(true)
	f.isDropped(t, s, client)
}

// A client that sends requests but reads no answers blocks every goroutine that
// writes to it. It must be dropped all the same.
func TestFrozenClientThatAsksIsDropped(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.ClientAliveInterval, c.Limits.ClientAliveCountMax = 100*time.Millisecond, 2 })
	tcp := s.dialTCP(t)
	tcp.(*net.TCPConn).SetReadBuffer(8 << 10)
	f := &freezer{Conn: tcp, ended: make(chan struct{})}
	client := f.login(t, s)
	const files, size = 6, 8 << 20
	var open []*sftp.File
	for range files {
		c, err := sftp.NewClient(client)
		if err != nil {
			t.Fatal(err)
		}
		if len(open) == 0 {
			large, err := c.Create("large")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(large.Truncate(size), large.Close()); err != nil {
				t.Fatal(err)
			}
		}
		file, err := c.Open("large")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, file)
	}
	f.frozen.Store(true)
	for _, file := range open {
		for off := int64(0); off < size; off += 32 << 10 {
			go file.ReadAt(make([]byte, 32<<10), off)
		}
	}
	go client.SendRequest("keepalive@openssh.com", true, nil)
	f.isDropped(t, s, client)
}

// A client that sends nothing but answers to keepalives stays.
func TestQuietClientStays(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.ClientAliveInterval, c.Limits.ClientAliveCountMax = 50*time.Millisecond, 2 })
	conn, channels, requests, err := ssh.NewClientConn(s.dialTCP(t), s.address, s.clientConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		for c := range channels {
			c.Reject(ssh.Prohibited, "")
		}
	}()
	for range 6 {
		select {
		case r, ok := <-requests:
			if !ok {
				t.Fatal("the connection was closed")
			}
			r.Reply(false, nil)
		case <-time.After(patience):
			t.Fatal("the client was not asked")
		}
	}
	go ssh.DiscardRequests(requests)
}
