package sshd

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
	"shelf/vfs"
	"shelf/vfs/access"
)

// New connections get the new configuration, unless it has a mistake. One whose
// account is gone ends.
func TestReload(t *testing.T) {
	var config Config
	s := serve(t, func(c *Config) { config = *c })
	old := s.dialTold(t)
	authorized := keys.NewAuthorizedKeys(s.file, config.Log)
	accounts, err := keys.NewAccounts(keys.Options{Accounts: []keys.Account{{Name: "bob", AuthorizedKeys: authorized}}})
	if err != nil {
		t.Fatal(err)
	}
	config.Accounts = accounts
	bad := config
	bad.Limits.MaxSessions = 0
	if err := s.Reload(bad); err == nil {
		t.Error("a mistake is accepted")
	}
	s.works(t)
	if err := s.Reload(config); err != nil {
		t.Fatal(err)
	}
	if client, err := ssh.Dial("tcp", s.address, s.clientConfig()); err == nil {
		client.Close()
		t.Error("ana logged in, though her account is gone")
	}
	c := s.clientConfig()
	c.User = "bob"
	client, err := ssh.Dial("tcp", s.address, c)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	if text := <-old.stderr; !strings.Contains(text, "this account does not exist any more") {
		t.Errorf("the person reads %q", text)
	}
	s.events.await(t, OpRemoved)
}

// loses opens a file and begins an upload, then runs lose, and checks that neither
// goes on, that the person reads why, and what the event is.
func (s *testServer) loses(t *testing.T, lose func(), op, why string) {
	t.Helper()
	c := s.dialTold(t)
	f, err := c.Create("/whole")
	if err == nil {
		_, err = f.Write([]byte("whole"))
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	read, err := c.Open("/whole")
	if err != nil {
		t.Fatal(err)
	}
	write, err := c.Create("/half")
	if err != nil {
		t.Fatal(err)
	}
	lose()
	if text := <-c.stderr; !strings.Contains(text, why) {
		t.Errorf("the person reads %q, want %q", text, why)
	}
	if n, err := read.ReadAt(make([]byte, 5), 0); err == nil {
		t.Errorf("read %d bytes more", n)
	}
	if write.Close() == nil {
		t.Error("published one more file")
	}
	s.events.await(t, op)
	eventually(t, "the end", func() bool { return s.Count() == 0 })
}

// Whoever may not log in any more does not go on either.
func TestLostLogins(t *testing.T) {
	var config Config
	s := serve(t, func(c *Config) { config = *c })
	reload := func() {
		if err := s.Reload(config); err != nil {
			t.Error(err)
		}
	}
	revoked := filepath.Join(t.TempDir(), "revoked")
	if err := os.WriteFile(revoked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	withOptions := func(edit func(*keys.Options)) *keys.Accounts {
		o := keys.Options{Accounts: []keys.Account{{Name: "ana", AuthorizedKeys: keys.NewAuthorizedKeys(s.file, config.Log)}}, RevokedKeys: revoked}
		if edit != nil {
			edit(&o)
		}
		a, err := keys.NewAccounts(o)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	config.Accounts = withOptions(nil)
	reload()
	t.Run("revoked", func(t *testing.T) {
		s.loses(t, func() {
			if err := os.WriteFile(revoked, []byte(ssh.FingerprintSHA256(s.key.PublicKey())+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			reload()
		}, OpRevoked, "this key has been revoked")
		os.WriteFile(revoked, nil, 0o600)
	})
	t.Run("another key", func(t *testing.T) {
		s.loses(t, func() { s.authorize(t, newKey(t).PublicKey(), ""); reload() }, OpRevoked, "may not log in any more")
		s.authorize(t, s.key.PublicKey(), "")
	})
	t.Run("another address", func(t *testing.T) {
		s.loses(t, func() { s.authorize(t, s.key.PublicKey(), `from="192.0.2.1"`); reload() }, OpRemoved, "from your address")
		s.authorize(t, s.key.PublicKey(), "")
	})
	t.Run("no library", func(t *testing.T) {
		served := config.Session
		s.loses(t, func() {
			config.Session = func(keys.Identity) (Service, error) { return Service{}, errors.New("this account has no library") }
			reload()
		}, OpRemoved, "no library")
		config.Session = served
	})
	t.Run("expired", func(t *testing.T) {
		end := time.Now().Add(3 * time.Second)
		config.Accounts = withOptions(func(o *keys.Options) { o.Accounts[0].Expires = end })
		reload()
		s.loses(t, func() {}, OpExpired, "this account expired on")
		if time.Now().Before(end) {
			t.Error("it ended too early")
		}
		config.Accounts = withOptions(nil)
	})
	t.Run("too long", func(t *testing.T) {
		served := config.Session
		config.Session = func(id keys.Identity) (Service, error) {
			service, err := served(id)
			service.MaxSessionTime = 2 * time.Second
			return service, err
		}
		reload()
		s.loses(t, func() {}, OpExpired, "a session lasts at most 2s here")
	})
}

// Fewer permissions hold for those who are connected, and for what they began.
func TestReloadTakesPermissions(t *testing.T) {
	var config Config
	library := openLibrary(t)
	s := serve(t, func(c *Config) { c.Session = serviceOf(library); config = *c })
	_, client := s.dialSFTP(t)
	f, err := client.Create("/file")
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	read, err := client.Open("/file")
	if err != nil {
		t.Fatal(err)
	}
	config.Session = func(keys.Identity) (Service, error) {
		return Service{Options: access.Options{Library: library, Permissions: vfs.Permissions{List: true}}}, nil
	}
	if err := s.Reload(config); err != nil {
		t.Fatal(err)
	}
	if _, err := read.Read(make([]byte, 1)); err == io.EOF || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a file that is open can still be read: %v", err)
	}
	if _, err := client.ReadDir("/"); err != nil {
		t.Errorf("what is still allowed is refused: %v", err)
	}
}
