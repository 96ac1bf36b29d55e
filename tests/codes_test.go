package tests

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"golang.org/x/crypto/ssh"
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
