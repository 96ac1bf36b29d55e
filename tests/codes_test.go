package tests

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"golang.org/x/crypto/ssh"

	"shelf/tests/objectstore"
)

// TestCodeAfterRestart uses a one-time code, starts the server again, and uses it
// again while it is still of this minute: it is refused.
func TestCodeAfterRestart(t *testing.T) {
	const secret, password = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "correct horse"
	toml := "library = \"library\"\n[accounts.ada]\npassword_hash = \"" + shelfdPasswd(t, password) + "\"\ntotp_secret = \"" + secret + "\"\n"
	dir := t.TempDir()
	var code string
	for _, want := range []bool{true, false} {
		s, err := startConfigured(dir, toml)
		if err != nil {
			t.Fatal(err)
		}
		if want {
			// A code of the next period is good now, and for a minute at least.
			if code, err = totp.GenerateCode(secret, time.Now().Add(30*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		c, err := s.loginFrom(here, ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			return []string{password, code}[:len(questions)], nil
		}))
		if err == nil {
			c.Close()
		}
		if (err == nil) != want {
			t.Errorf("the login succeeds: %v, want %v (%v)", err == nil, want, err)
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCodeOnThreeServers gives one code to three servers that share a state folder, twice
// to each and all at the same moment: one login succeeds. Then all are killed, and each
// is given the code once more when it has started again.
func TestCodeOnThreeServers(t *testing.T) {
	const secret, accounts = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", 8
	toml := "library = \"library\"\nper_source_max_startups = 0\n"
	for n := range accounts {
		toml += fmt.Sprintf("[accounts.%s%d]\nauthorized_keys_file = \"id.pub\"\ntotp_secret = %q\n", user, n, secret)
	}
	dir := t.TempDir()
	start := func() (all []*server) {
		s, err := startConfigured(dir, toml)
		for n := 2; err == nil; n++ {
			if all = append(all, s); len(all) == 3 {
				return all
			}
			s, err = all[0].another(n)
		}
		t.Fatal(err)
		return nil
	}
	servers := start()
	// A code of the next period is good now, and for a minute at least.
	code, err := totp.GenerateCode(secret, time.Now().Add(30*time.Second))
	must(t, err)
	for n := range accounts {
		account := fmt.Sprint(user, n)
		var asked, all sync.WaitGroup
		var in atomic.Int64
		for _, s := range append(servers, servers...) {
			asked.Add(1)
			all.Go(func() {
				if s.loginByCode(t, account, code, func() { asked.Done(); asked.Wait() }) {
					in.Add(1)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 {
			t.Errorf("%s: %d logins succeed with one code", account, in.Load())
		}
	}
	for _, s := range servers {
		s.cmd.Process.Kill()
		<-s.exited
	}
	servers = start()
	for n, s := range servers {
		if s.loginByCode(t, fmt.Sprint(user, n), code, func() {}) {
			t.Errorf("server %d takes a code after a restart that was used before", n)
		}
		must(t, s.stop())
	}
}

// loginByCode tells whether a login succeeds by key and code; asked is called when the
// server wants the code.
func (s *server) loginByCode(t *testing.T, account, code string, asked func()) bool {
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		t.Error(err)
		asked()
		return false
	}
	defer conn.Close()
	questions := 0
	client, _, _, err := ssh.NewClientConn(conn, s.addr, &ssh.ClientConfig{
		User: account, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Auth: []ssh.AuthMethod{s.keyAuth(t), ssh.KeyboardInteractive(func(_, _ string, all []string, _ []bool) ([]string, error) {
			if questions += len(all); len(all) != 1 || questions > 1 {
				return nil, errors.New("no more answers")
			}
			asked()
			return []string{code}, nil
		})},
	})
	if questions == 0 {
		t.Errorf("%s: no code was asked for: %v", account, err)
		asked()
	}
	if err == nil {
		client.Close()
	}
	return err == nil
}

// TestCodeOnAnotherNode uses a one-time code on one server of a bucket, and again on
// another, which has a state folder of its own: it is refused. So is a code while the
// store is away.
func TestCodeOnAnotherNode(t *testing.T) {
	t.Parallel()
	need(t, objectstore.Program)
	const secret, password = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "correct horse"
	dir := t.TempDir()
	store, err := objectstore.Start(dir, "")
	must(t, err)
	t.Cleanup(store.Stop)
	proxy, err := objectstore.NewProxy(store.URL)
	must(t, err)
	t.Cleanup(proxy.Close)
	var nodes []*server
	for i := range 2 {
		s, err := newServer(dir)
		must(t, err)
		if i == 0 {
			must(t, s.configureBucket(proxy.URL))
			toml := inBucket(proxy.URL) + "[accounts." + user + "]\npassword_hash = \"" + shelfdPasswd(t, password) + "\"\ntotp_secret = \"" + secret + "\"\n"
			must(t, os.WriteFile(filepath.Join(dir, "shelfd.toml"), []byte(toml), 0o600))
		} else {
			s.config += "-1"
			s.state += "-1"
			s.copyHostKeys(t, nodes[0])
		}
		must(t, s.start([]string{"--config", filepath.Join(dir, "shelfd.toml")}))
		stopAtEnd(t, s)
		nodes = append(nodes, s)
	}
	login := func(s *server, code string) error {
		c, err := s.loginFrom(here, ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			return []string{password, code}[:len(questions)], nil
		}))
		if err == nil {
			c.Close()
		}
		return err
	}
	now := time.Now()
	code, err := totp.GenerateCode(secret, now)
	must(t, err)
	next, err := totp.GenerateCode(secret, now.Add(30*time.Second))
	must(t, err)
	must(t, login(nodes[0], code))
	if login(nodes[1], code) == nil {
		t.Error("the code was good on another server, too")
	}
	proxy.SpoilBy(func(r *http.Request) objectstore.Fault {
		if strings.Contains(r.URL.Path, "/totp/") {
			return objectstore.Unavailable
		}
		return objectstore.None
	})
	if login(nodes[1], next) == nil {
		t.Error("a code was good while the store was away")
	}
	proxy.SpoilBy(nil)
	must(t, login(nodes[1], next))
}
