package sshd

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
)

const annasPassword = "correct horse"

// serveGuessable serves anna, who has a password and a key, and boss, who has a
// password. Nobody is exempt from penalties.
func serveGuessable(t *testing.T, edit func(*Config)) *testServer {
	t.Helper()
	hash, err := keys.HashPassword(annasPassword)
	if err != nil {
		t.Fatal(err)
	}
	var key *keys.AuthorizedKeys
	s := serve(t, func(c *Config) {
		key = keys.NewAuthorizedKeys("", c.Log)
		accounts, err := keys.NewAccounts(keys.Options{Accounts: []keys.Account{
			{Name: "anna", PasswordHash: hash, AuthorizedKeys: key}, {Name: "boss", PasswordHash: hash},
		}, Log: c.Log})
		if err != nil {
			t.Fatal(err)
		}
		c.Accounts = accounts
		c.Limits.Penalties.Exempt = nil
		if edit != nil {
			edit(c)
		}
	})
	if err := key.Add(string(ssh.MarshalAuthorizedKey(s.key.PublicKey()))); err != nil {
		t.Fatal(err)
	}
	return s
}

// all returns the events of an operation.
func (e *events) ofOp(op string) (all []Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.all {
		if one.Op == op {
			all = append(all, one)
		}
	}
	return all
}

// guesser logs in as anna by password, after some wrong ones.
func (s *testServer) guesser(wrong int) *ssh.ClientConfig {
	c := s.clientConfig()
	c.User = "anna"
	c.Auth = []ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
		if wrong--; wrong >= 0 {
			return "wrong", nil
		}
		return annasPassword, nil
	}), 10)}
	return c
}

// Each wrong password is an event and counts, though a login follows on the same
// connection.
func TestFailedTriesCountWhateverFollows(t *testing.T) {
	s := serveGuessable(t, nil)
	client, err := ssh.Dial("tcp", s.address, s.guesser(4))
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	s.events.await(t, OpLogout)
	tries := s.events.ofOp(OpRefusal)
	if len(tries) != 4 {
		t.Errorf("of 4 tries that failed there are %d events", len(tries))
	}
	for _, e := range tries {
		if e.Account != "anna" || e.Method != "password" || e.Source == "" || e.Err == nil || !strings.Contains(e.Err.Error(), "wrong password") {
			t.Errorf("reported as %+v", e)
		}
	}
	if client, err := ssh.Dial("tcp", s.address, s.guesser(0)); err == nil {
		client.Close()
		t.Error("the source need not wait")
	}
}

// A person whose first keys are not wanted has not guessed at anything.
func TestOfferedKeysAreNoTries(t *testing.T) {
	s := serveGuessable(t, nil)
	for range 3 {
		c := s.clientConfig()
		c.User = "anna"
		c.Auth = []ssh.AuthMethod{ssh.PublicKeys(newKey(t), newKey(t), newKey(t), newKey(t), s.key)}
		client, err := ssh.Dial("tcp", s.address, c)
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
	}
	if e, ok := s.events.find(OpRefusal); ok {
		t.Errorf("reported: %+v", e)
	}
}

// asker is a client that asks for one account after the other, which x/crypto's
// would not: it reads the name anew for each try, and the test writes over it.
type asker struct {
	name      []byte
	passwords chan string
	ready     chan struct{} // for the next password, the last having been refused
	ended     chan struct{}
}

// newAsker connects, and begins as boss.
func newAsker(t *testing.T, s *testServer) *asker {
	t.Helper()
	conn := s.dialTCP(t)
	a := &asker{name: []byte("boss"), passwords: make(chan string), ready: make(chan struct{}), ended: make(chan struct{})}
	c := s.clientConfig()
	c.User = unsafe.String(&a.name[0], len(a.name))
	c.Auth = []ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
		select {
		case a.ready <- struct{}{}:
		case <-t.Context().Done():
			return "", t.Context().Err()
		}
		select {
		case p := <-a.passwords:
			return p, nil
		case <-t.Context().Done():
			return "", t.Context().Err()
		}
	}), 10)}
	go func() {
		defer close(a.ended)
		defer conn.Close()
		ssh.NewClientConn(conn, s.address, c)
	}()
	t.Cleanup(func() { <-a.ended })
	<-a.ready
	return a
}

// password tries one, and tells whether the server let the client try again. The
// name is as long as "boss".
func (a *asker) password(name, password string) (again bool) {
	copy(a.name, name)
	a.passwords <- password
	select {
	case <-a.ready:
		return true
	case <-a.ended:
		return false
	}
}

// Who asks for one account, is refused and asks for another is cut off; the
// event tells of both.
func TestAnotherAccountEndsTheConnection(t *testing.T) {
	s := serveGuessable(t, nil)
	c := newAsker(t, s)
	if !c.password("boss", "wrong") {
		t.Fatal("the first try has no answer")
	}
	if c.password("anna", annasPassword) {
		t.Error("the second account has an answer")
	}
	eventually(t, "the connection is gone", func() bool { return s.Count() == 0 })
	if _, ok := s.events.find(OpLogin); ok {
		t.Error("ann is logged in")
	}
	all := s.events.ofOp(OpRefusal)
	if len(all) != 2 || all[0].Account != "boss" || all[0].Method != "password" || all[1].Account != "boss" ||
		!strings.Contains(all[1].Err.Error(), `another account, "anna"`) {
		t.Errorf("reported as %+v", all)
	}
}

// What a client makes as long as it likes does not fill the log.
func TestNamesInEventsAreBounded(t *testing.T) {
	s := serveGuessable(t, nil)
	c := s.clientConfig()
	c.User = strings.Repeat("é", 50_000)
	c.Auth = []ssh.AuthMethod{ssh.Password("wrong")}
	if client, err := ssh.Dial("tcp", s.address, c); err == nil {
		client.Close()
		t.Fatal("logged in")
	}
	e := s.events.await(t, OpRefusal)
	if len(e.Account) > 2*maxReason || !strings.HasSuffix(e.Account, "... (100000 bytes)") || len(e.Err.Error()) > 2*maxReason {
		t.Errorf("the account is %d bytes, the reason %d: %s", len(e.Account), len(e.Err.Error()), e.Account)
	}
	if n := len(s.log.String()); n > 10*maxReason {
		t.Errorf("the log is %d bytes", n)
	}
}

// Connections that were there before a source has to wait are not for guessing
// on either.
func TestPenaltyHoldsOnOpenConnections(t *testing.T) {
	s := serveGuessable(t, nil)
	var open []*asker
	for range 5 {
		open = append(open, newAsker(t, s))
	}
	for range 4 {
		open[0].password("boss", "wrong")
	}
	for _, c := range open[1:] {
		if c.password("boss", "wrong") {
			t.Error("a password is judged on a connection from a source that has to wait")
		}
	}
	eventually(t, "they are cut off", func() bool { return s.Count() == 1 })
	if n := len(s.events.ofOp(OpRefusal)); n != 4 {
		t.Errorf("%d tries are reported, want 4", n)
	}
}

// A login for which there is no place is no guess.
func TestFullAccountIsNoPenalty(t *testing.T) {
	s := serveGuessable(t, func(c *Config) {
		c.Session = func(keys.Identity) (Service, error) { return Service{}, errors.New("nothing is served today") }
	})
	for range 6 {
		c := s.clientConfig()
		c.User = "anna"
		banner := ""
		c.BannerCallback = func(text string) error { banner += text; return nil }
		if client, err := ssh.Dial("tcp", s.address, c); err == nil {
			client.Close()
			t.Fatal("logged in")
		}
		if !strings.Contains(banner, "nothing is served today") {
			t.Fatalf("told %q", banner)
		}
	}
}

// A flood of connections that say nothing leaves few lines.
func TestUntriedAreSummedUp(t *testing.T) {
	s := serve(t, nil)
	const many = 200
	for range many {
		s.dialTCP(t).Close()
	}
	eventually(t, "they are gone", func() bool { return s.gate.waiting.Waiting() == 0 && s.Count() == 0 })
	alone := len(s.events.ofOp(OpRefusal))
	eventually(t, "all are told of", func() bool {
		counted := 0
		for line := range strings.Lines(s.log.String()) {
			if _, rest, ok := strings.Cut(line, "connections refused\" count="); ok {
				n := 0
				fmt.Sscan(rest, &n)
				counted += n
			}
		}
		return counted+alone == many
	})
	if alone > maxUntried*30 || alone == many {
		t.Errorf("%d of %d are reported one by one", alone, many)
	}
}
