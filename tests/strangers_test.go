package tests

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Two sources, which are both this machine.
const here, there = "127.0.0.1", "127.0.0.2"

// dialFrom connects from a source, without a word.
func (s *server) dialFrom(source string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: patience}
	return d.Dial("tcp", s.addr)
}

// loginFrom logs in from a source.
func (s *server) loginFrom(source string, auth ssh.AuthMethod) (ssh.Conn, error) {
	conn, err := s.dialFrom(source)
	if err != nil {
		return nil, err
	}
	client, channels, requests, err := ssh.NewClientConn(conn, s.addr, &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{auth}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	go ssh.DiscardRequests(requests)
	go func() {
		for c := range channels {
			c.Reject(ssh.Prohibited, "")
		}
	}()
	return client, nil
}

func (s *server) keyAuth(t *testing.T) ssh.AuthMethod {
	t.Helper()
	signer, err := readIdentity(s.identity)
	if err != nil {
		t.Fatal(err)
	}
	return ssh.PublicKeys(signer)
}

// strangers is a server at which nobody is exempt.
const strangers = "per_source_penalty_exempt_list = []\n"

// TestSilentCrowd has one source open connections and say nothing, as many as
// there are slots: others log in as ever, memory stays bounded, and after the
// grace time the crowd is gone.
func TestSilentCrowd(t *testing.T) {
	silent := orInFull(500, 2000)
	s := serveConfigured(t, strangers+"login_grace_time = \"10s\"\n"+twoAccounts)
	key := s.keyAuth(t)
	for range 10 {
		c, err := s.loginFrom(there, key)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	before := s.resources(t).resident
	for range silent {
		conn, err := s.dialFrom(here)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	grown := s.resources(t).resident - before
	each := int64(12 << 10)
	if raceEnabled {
		each = 50 << 10 // the race detector keeps some bytes for each that is used
	}
	if grown > each*int64(silent) {
		t.Errorf("%d silent connections take %d KiB", silent, grown>>10)
	}
	var slowest time.Duration
	for range 100 {
		start := time.Now()
		c, err := s.loginFrom(there, key)
		if err != nil {
			t.Fatalf("another source is kept out: %v", err)
		}
		slowest = max(slowest, time.Since(start))
		c.Close()
	}
	t.Logf("%d silent connections take %d KiB; of 100 logins from elsewhere the slowest took %v", silent, grown>>10, slowest)
	eventually(t, "the crowd is gone", func() bool { return s.connections(t) == 0 })
}

// shelfdPasswd is the hash of a password.
func shelfdPasswd(t *testing.T, password string) string {
	t.Helper()
	cmd := exec.Command("shelfd", "passwd", "--weak")
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestGuesser has one source guess passwords: it is turned away soon, and
// another source is not.
func TestGuesser(t *testing.T) {
	const password = "correct horse"
	s := serveConfigured(t, strangers+"library = \"library\"\n[accounts.ada]\npassword_hash = \""+shelfdPasswd(t, password)+"\"\n")
	guesses := 0
	for ; guesses < 100; guesses++ {
		c, err := s.loginFrom(here, ssh.Password("wrong"))
		if err == nil {
			c.Close()
			t.Fatal("logged in")
		}
		if !strings.Contains(err.Error(), "unable to authenticate") {
			break
		}
	}
	if guesses > 10 {
		t.Errorf("turned away after %d guesses", guesses)
	}
	if c, err := s.loginFrom(here, ssh.Password(password)); err == nil {
		c.Close()
		t.Error("who guessed is let in at once")
	}
	c, err := s.loginFrom(there, ssh.Password(password))
	if err != nil {
		t.Fatalf("another source is turned away: %v", err)
	}
	c.Close()
}

// TestGreedyClient has one connection ask for far more than it may have, twice:
// what the first time left behind would be there again after the second.
func TestGreedyClient(t *testing.T) {
	s := serve(t)
	other := s.dial(t)
	s.dial(t).ask(t)
	before := s.resources(t).resident
	s.dial(t).ask(t)
	// What is garbage by then goes when the server rests.
	eventually(t, "the server has grown by less than 10 MiB", func() bool {
		return s.resources(t).resident-before < 10<<20
	})
	if err := other.roundTrip("file", content(1, 100_000)); err != nil {
		t.Errorf("another client notices: %v", err)
	}
}

// ask opens 2,000 channels and sends 100,000 requests.
func (c *client) ask(t *testing.T) {
	t.Helper()
	opened := 0
	for range 2000 {
		channel, requests, err := c.ssh.OpenChannel("session", nil)
		if err != nil {
			continue
		}
		opened++
		go ssh.DiscardRequests(requests)
		defer channel.Close()
	}
	if opened > 10 {
		t.Errorf("%d sessions in a connection", opened)
	}
	for range 100_000 {
		if _, _, err := c.ssh.SendRequest("tcpip-forward", false, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if ok, _, err := c.ssh.SendRequest("tcpip-forward", true, nil); ok || err != nil {
		t.Errorf("forwarding: %v, %v", ok, err)
	}
}

// TestGarbage says what is not SSH, or hardly: the server goes on.
func TestGarbage(t *testing.T) {
	s := serve(t)
	noise := make([]byte, 64<<10)
	rand.Read(noise)
	for _, say := range [][]byte{
		nil, {0}, noise, []byte("SSH-2.0-" + strings.Repeat("x", 10<<10) + "\r\n"), bytes.Repeat([]byte("hello\r\n"), 10_000),
		append([]byte("SSH-2.0-x\r\n"), noise...), []byte("SSH-2.0-x\r\n\xff\xff\xff\xff"), []byte("SSH-2.0-x\r\n\x00\x00\x00\x00\x00"),
		[]byte("SSH-1.5-old\r\n"), []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		conn, err := s.dialFrom(here)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(say)
		conn.(*net.TCPConn).CloseWrite()
		conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %.20q the connection stays", say)
		}
		conn.Close()
	}
	c := s.dial(t)
	for _, request := range []string{"subsystem", "exec", "env", "pty-req", "shell", ""} {
		for n := range 4 {
			channel, requests, err := c.ssh.OpenChannel("session", nil)
			if err != nil {
				t.Fatal(err)
			}
			go ssh.DiscardRequests(requests)
			if ok, err := channel.SendRequest(request, true, noise[:n]); ok && request == "subsystem" {
				t.Errorf("%s with %d bytes is granted (%v)", request, n, err)
			}
			channel.Close()
		}
	}
	if err := c.roundTrip("file", content(1, 100_000)); err != nil {
		t.Error(err)
	}
}

// TestNoSecretInLogs logs in, and fails to, in each way there is with all that
// can be logged: no password, secret or key is in it.
func TestNoSecretInLogs(t *testing.T) {
	const password, wrong, secret = "canary-right", "canary-wrong", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	hash := shelfdPasswd(t, password)
	s := serveConfigured(t, `
log_level = "debug"
audit_log = "audit"
library = "library"
[accounts.ada]
password_hash = "`+hash+`"
authorized_keys_file = "id.pub"
authentication_methods = ["password", "publickey"]
[accounts.bob]
password_hash = "`+hash+`"
totp_secret = "`+secret+`"
`)
	for _, auth := range []ssh.AuthMethod{
		ssh.Password(wrong), ssh.Password(password), s.keyAuth(t),
		ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			return []string{wrong, "123456"}[:len(questions)], nil
		}),
	} {
		if c, err := s.loginFrom(here, auth); err == nil {
			c.Close()
		}
	}
	eventually(t, "all are gone", func() bool { return s.connections(t) == 0 })
	events, err := os.ReadFile(filepath.Join(s.dir, "audit"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := os.ReadFile(s.identity)
	if err != nil {
		t.Fatal(err)
	}
	all := s.stderr.String() + s.stdout.String() + string(events)
	if !strings.Contains(all, "login attempt") || !strings.Contains(string(events), `"login"`) || !strings.Contains(string(events), `"refusal"`) {
		t.Fatalf("not all is logged:\n%s", all)
	}
	for _, canary := range []string{password, wrong, secret, hash, "123456", strings.Split(string(private), "\n")[3]} {
		if strings.Contains(all, canary) {
			t.Errorf("%q is in what is logged", canary)
		}
	}
}
