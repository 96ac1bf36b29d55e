package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"shelf/cmd/shelf/connect"
	"shelf/cmd/shelf/ui"
)

// lockedFile makes a new key that is encrypted.
func lockedFile(t *testing.T) (file string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "locked")
	save(t, file, string(pem.EncodeToMemory(block)))
	return file
}

// hold runs an agent that has the key of a file, and tells how many connections
// to it are open.
func hold(t *testing.T, file string) (open *atomic.Int64) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	open = &atomic.Int64{}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Add(1)
			all.Go(func() { agent.ServeAgent(keys, c); c.Close(); open.Add(-1) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	t.Setenv("SSH_AUTH_SOCK", socket)
	return open
}

// half moves a private key away and leaves the public half beside it.
func half(t *testing.T, file string) (moved, public string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ssh.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	moved, public = filepath.Join(t.TempDir(), "moved"), file+".pub"
	save(t, public, string(ssh.MarshalAuthorizedKey(private.PublicKey())))
	if err := os.Rename(file, moved); err != nil {
		t.Fatal(err)
	}
	return moved, public
}

// The agent lets us in with a key of which only the public half is here, whether
// that is named or the private one; and is left when we are in.
func TestAgent(t *testing.T) {
	s := newServer(t, nil)
	private := s.identity
	moved, public := half(t, private)
	open := hold(t, moved)
	for _, file := range []string{private, public} {
		s.identity = file
		to, err := connect.Find(connect.Options{UI: &ui.UI{}, Identities: []string{file}, KnownHosts: s.known,
			Config: configured(t, "IdentitiesOnly yes"), LoginTime: connect.LoginTime}, s.addr)
		if err != nil {
			t.Fatal(err)
		}
		client, err := to.Dial(t.Context())
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		within(t, 20*time.Second, func() {
			for open.Load() > 0 {
				time.Sleep(time.Millisecond)
			}
		})
		client.Close()
	}
	t.Setenv("SSH_AUTH_SOCK", "")
	status, _, errs := s.run(t, "", s.addr, "list")
	want(t, status, exitRefused, errs, "it is a public key; name the private one, id")
}

// A key that is in a file and in the agent is shown once: servers count.
func TestKeysOnce(t *testing.T) {
	var shown atomic.Int64
	s := newServerLike(t, nil, func(c *ssh.ServerConfig) {
		c.AddHostKey(newKey(t).signer)
		c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, errors.New("no") }
		c.AuthLogCallback = func(_ ssh.ConnMetadata, method string, _ error) {
			if method == "publickey" {
				shown.Add(1)
			}
		}
	})
	hold(t, s.identity)
	status, _, errs := s.run(t, "", "--accept-new", s.addr, "list")
	want(t, status, exitRefused, errs, "try another key with -i FILE")
	if n := shown.Load(); n != 1 {
		t.Errorf("the key was shown %d times", n)
	}
}

// Where nobody can be asked, a key that is encrypted does not stand before those
// that are not, though the server would take it.
func TestLockedKey(t *testing.T) {
	s := newServerLike(t, nil, func(c *ssh.ServerConfig) {
		c.AddHostKey(newKey(t).signer)
		c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }
	})
	open := s.identity
	s.identity = lockedFile(t)
	status, _, errs := s.run(t, "", "--accept-new", "-i", open, s.addr, "list")
	want(t, status, 0, errs, "locked is not used: it is encrypted, and there is no terminal")
	status, _, errs = s.run(t, "", s.addr, "list")
	want(t, status, exitRefused, errs, "give a key with -i FILE")
}

// A server that hangs up after too many tries has refused us, and says why.
func TestTooManyTries(t *testing.T) {
	s := newServerLike(t, nil, func(c *ssh.ServerConfig) {
		c.AddHostKey(newKey(t).signer)
		c.MaxAuthTries = 1
		c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, errors.New("no") }
	})
	// A server may let some keys be asked about for nothing.
	other := filepath.Join(t.TempDir(), "other")
	save(t, other, string(newKey(t).pem))
	status, _, errs := s.run(t, "", "--accept-new", "-i", other, "ada@"+s.addr, "list")
	want(t, status, exitRefused, errs, "does not let ada in: too many authentication failures")
}

// A refusal names what would help: a key where keys are taken, a terminal where
// a password is.
func TestRefusal(t *testing.T) {
	no := errors.New("no")
	reason := &ssh.BannerError{Err: no, Message: "the account is \x1b[31mlocked.\n"}
	for what, row := range map[string]struct {
		set       func(c *ssh.ServerConfig)
		says, not string
	}{
		"password": {func(c *ssh.ServerConfig) {
			c.PublicKeyCallback = nil
			c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, no }
		}, "it accepts a password, but there is no terminal to ask at", "-i"},
		"keys": {func(c *ssh.ServerConfig) {
			c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, no }
		}, "try another key with -i FILE", "terminal"},
		"banner": {func(c *ssh.ServerConfig) {
			c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, reason }
			c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, no }
		}, `does not let ada in: the account is \x1b[31mlocked; try another key with -i FILE`, "password"},
	} {
		t.Run(what, func(t *testing.T) {
			s := newServerLike(t, nil, func(c *ssh.ServerConfig) { c.AddHostKey(newKey(t).signer); row.set(c) })
			status, _, errs := s.run(t, "", "--accept-new", "ada@"+s.addr, "list")
			want(t, status, exitRefused, errs, row.says)
			if strings.Contains(errs, row.not) {
				t.Errorf("it speaks of %q: %s", row.not, errs)
			}
		})
	}
}

// What a server says before a login cannot be taken for a line of ours.
func TestBannerIsMarked(t *testing.T) {
	s := newServer(t, nil)
	s.banner = "welcome\nshelf: that was wrong; try again\n"
	status, _, errs := s.run(t, "", "ada@"+s.addr, "list")
	mark := "(ada@" + s.addr + ") "
	want(t, status, 0, errs, mark+"welcome\n"+mark+"shelf: that was wrong; try again\n")
}

// The usual key of a person is offered, and with "IdentityFile none" it is not.
func TestIdentityFileNone(t *testing.T) {
	s := newServer(t, map[string]string{"f": "x"})
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", "")
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.identity, filepath.Join(home, ".ssh", "id_ed25519")); err != nil {
		t.Fatal(err)
	}
	for config, ok := range map[string]bool{"": true, "IdentityFile none": false} {
		to, err := connect.Find(connect.Options{UI: &ui.UI{In: os.Stdin, Err: io.Discard}, KnownHosts: s.known,
			Config: configured(t, config), LoginTime: connect.LoginTime}, s.addr)
		if err != nil {
			t.Fatal(err)
		}
		client, err := to.Dial(t.Context())
		if (err == nil) != ok {
			t.Errorf("%q: %v", config, err)
		}
		if err == nil {
			client.Close()
		}
	}
}

// A private key that others can read is not used, as by ssh, and it is said why;
// a public one beside it may be read by anybody.
func TestIdentityOpenToOthers(t *testing.T) {
	s := newServer(t, map[string]string{"f": "x"})
	t.Setenv("SSH_AUTH_SOCK", "")
	for _, mode := range []os.FileMode{0o644, 0o640, 0o602} {
		if err := os.Chmod(s.identity, mode); err != nil {
			t.Fatal(err)
		}
		status, _, errs := s.run(t, "", s.addr, "list")
		want(t, status, exitRefused, errs, "the key "+s.identity+" is not used: others may use it (its mode is 0"+strconv.FormatInt(int64(mode), 8)+"); chmod 600")
	}
	if err := os.Chmod(s.identity, 0o400); err != nil {
		t.Fatal(err)
	}
	status, _, errs := s.run(t, "", s.addr, "list")
	want(t, status, 0, errs)
}
