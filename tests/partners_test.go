package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// partners is a server whose accounts are made by key files, each with two
// libraries of its own.
const partners = `
authorized_keys_file = "keys/%u"
revoked_keys = "revoked"
library_roots = ["shared"]
[libraries.in]
path = "partners/%u/in"
[libraries.out]
path = "partners/%u/out"
[file_accounts]
libraries = { in = ["editor"], out = ["reader"] }
`

func servePartners(t *testing.T, names ...string) *server {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"keys", "partners", "shared"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "revoked"), nil, 0o600), makeKey(filepath.Join(dir, "id")))
	for _, name := range names {
		dropKey(t, dir, name)
	}
	s := serveIn(t, dir, partners)
	return s
}

// dropKey makes an account by a copy of the tests' key.
func dropKey(t *testing.T, dir, name string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(dir, "id.pub"))
	must(t, err, os.WriteFile(filepath.Join(dir, "keys", name), key, 0o600))
}

// exchanges puts a file into in and fetches one from out.
func (s *server) exchanges(name string) error {
	c, err := s.connectAs(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer c.close()
	return errors.Join(c.putFile("/in/file", []byte(name)), second(c.ReadDir("/out")))
}

func (c *client) putFile(path string, content []byte) error {
	f, err := c.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// TestPartners drops key files for many partners and reloads once: all are let in,
// one with a broken file is not, and one more later costs nobody a connection.
func TestPartners(t *testing.T) {
	t.Parallel()
	many := orInFull(60, 300)
	s := servePartners(t, "first")
	stays, err := s.connectAs("first")
	must(t, err)
	defer stays.close()
	for n := range many {
		dropKey(t, s.dir, fmt.Sprintf("partner%d", n))
	}
	must(t, os.WriteFile(filepath.Join(s.dir, "keys", "broken"), []byte("nonsense"), 0o600))
	s.reload(t, "the configuration was reloaded")
	for n := range many {
		if err := s.exchanges(fmt.Sprintf("partner%d", n)); err != nil {
			t.Fatal(err)
		}
	}
	if s.exchanges("broken") == nil {
		t.Error("an account with a broken key file is let in")
	}
	if !strings.Contains(s.said(), "an account has a mistake") {
		t.Errorf("the log does not tell of the broken file:\n%s", s.said())
	}
	// One more, with a library that is new to the configuration.
	dropKey(t, s.dir, "last")
	must(t, os.Mkdir(filepath.Join(s.dir, "shared", "all"), 0o755), os.WriteFile(filepath.Join(s.dir, "shelfd.toml"), []byte(partners+`
[libraries.all]
path = "shared/all"
[accounts.last]
libraries = { in = ["editor"], out = ["reader"], all = ["editor"] }
`), 0o600))
	s.reload(t, "the configuration was reloaded")
	if err := s.exchanges("last"); err != nil {
		t.Fatal(err)
	}
	last, err := s.connectAs("last")
	must(t, err)
	defer last.close()
	must(t, last.putFile("/all/file", []byte("new")), stays.putFile("/in/file", []byte("still here")))
}

// TestRevokedIsCutOff: who may not log in any more does not go on either, while
// others notice nothing.
func TestRevokedIsCutOff(t *testing.T) {
	t.Parallel()
	others := orInFull(20, 100)
	s := servePartners(t, "gone", "revoked", "stays")
	must(t, makeKey(filepath.Join(s.dir, "other")))
	other, err := os.ReadFile(filepath.Join(s.dir, "other.pub"))
	must(t, err, os.WriteFile(filepath.Join(s.dir, "keys", "revoked"), other, 0o600))

	var over atomic.Bool
	var disturbed sync.WaitGroup
	for n := range others {
		disturbed.Go(func() {
			c, err := s.connectAs("stays")
			if err != nil {
				t.Error(err)
				return
			}
			defer c.close()
			name, want := fmt.Sprintf("/in/file%d", n), content(uint64(n), 200_000)
			for !over.Load() {
				if err := c.putFile(name, want); err != nil {
					t.Errorf("another transfer was disturbed: %v", err)
					return
				}
			}
		})
	}
	for name, identity := range map[string]string{"gone": s.identity, "revoked": filepath.Join(s.dir, "other")} {
		victim, err := s.connectBy(name, identity)
		must(t, err, victim.putFile("/in/whole", []byte("whole")))
		read, err := victim.Open("/in/whole")
		must(t, err)
		write, err := victim.Create("/in/half")
		must(t, err, second(write.Write(content(1, 2<<20))))
		if name == "gone" {
			must(t, os.Remove(filepath.Join(s.dir, "keys", name)))
		} else {
			key, _, _, _, err := ssh.ParseAuthorizedKey(other)
			must(t, err, os.WriteFile(filepath.Join(s.dir, "revoked"), []byte(ssh.FingerprintSHA256(key)+"\n"), 0o600))
		}
		s.reload(t, "the configuration was reloaded")
		reloaded := time.Now()
		if n, err := read.ReadAt(make([]byte, 5), 0); err == nil {
			t.Errorf("%s reads %d bytes more", name, n)
		}
		if write.Close() == nil {
			t.Errorf("%s publishes one more file", name)
		}
		ended := make(chan struct{})
		go func() { victim.ssh.Wait(); close(ended) }()
		select {
		case <-ended:
			t.Logf("%s is out %v after the reload", name, time.Since(reloaded).Round(time.Millisecond))
		case <-time.After(patience):
			t.Errorf("the connection of %s goes on", name)
		}
		if _, err := os.Stat(filepath.Join(s.dir, "partners", name, "in", "half")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
		eventually(t, "nothing is kept", func() bool {
			left, err := hidden(filepath.Join(s.dir, "partners", name, "in"))
			return err == nil && len(left) == 0
		})
	}
	over.Store(true)
	disturbed.Wait()
	for _, op := range []string{"removed", "revoked"} {
		said := s.said()
		if !strings.Contains(said, "op="+op) && !strings.Contains(said, "msg="+op) && !strings.Contains(said, `"op":"`+op) {
			t.Errorf("no event %s in\n%s", op, said)
		}
	}
}

// TestRightsThatEnd: a session ends when its certificate or its account expires,
// without a reload, and when its certificate is revoked.
func TestRightsThatEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	authority := filepath.Join(dir, "ca")
	must(t, makeKey(authority), os.WriteFile(filepath.Join(dir, "revoked"), nil, 0o600))
	const settings = `
library = "library"
trusted_user_ca_keys = "ca.pub"
revoked_keys = "revoked"
[accounts.ada]
[accounts.bob]
authorized_keys_file = "id.pub"
`
	s := serveIn(t, dir, settings)

	soon := time.Now().Add(8 * time.Second)
	expires := s.dialCertified(t, authority, uint64(soon.Unix()))
	s.isEnded(t, expires, "expired", soon, func() {})

	bob, err := s.connectAs("bob")
	must(t, err)
	soon = time.Now().Add(3 * time.Second).Truncate(time.Second)
	s.isEnded(t, bob, "expired", soon, func() {
		must(t, os.WriteFile(filepath.Join(dir, "shelfd.toml"), fmt.Appendf([]byte(settings), "expires = %s\n", soon.UTC().Format(time.RFC3339)), 0o600))
		s.reload(t, "the configuration was reloaded")
	})

	revoked := s.dialCertified(t, authority, ssh.CertTimeInfinity)
	s.isEnded(t, revoked, "revoked", time.Now(), func() {
		key, _, _, _, err := ssh.ParseAuthorizedKey(slurp(t, authority+".pub"))
		must(t, err, os.WriteFile(filepath.Join(dir, "revoked"), []byte(ssh.FingerprintSHA256(key)+"\n"), 0o600))
		s.reload(t, "the configuration was reloaded")
	})
}

// isEnded has a client upload while cause comes about: from a time on it must not go
// on, and nothing of it is kept.
func (s *server) isEnded(t *testing.T, c *client, event string, from time.Time, cause func()) {
	t.Helper()
	defer c.close()
	f, err := c.Create("half")
	must(t, err, second(f.Write(content(1, 2<<20))))
	before := strings.Count(s.said(), event)
	cause()
	ended := make(chan struct{})
	go func() { c.ssh.Wait(); close(ended) }()
	select {
	case <-ended:
		t.Logf("%s: ended %v after that", event, time.Since(from).Round(time.Millisecond))
	case <-time.After(patience):
		t.Fatalf("%s: the connection goes on", event)
	}
	if f.Close() == nil {
		t.Errorf("%s: a file is published", event)
	}
	eventually(t, "nothing is kept", func() bool { left, err := hidden(s.library); return err == nil && len(left) == 0 })
	if _, err := os.Stat(filepath.Join(s.library, "half")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", event, err)
	}
	eventually(t, "the event is logged", func() bool { return strings.Count(s.said(), event) > before })
}

// TestLibraryOutOfOrder: a library that is not there keeps no other from being
// served, check names it and fails, and once it is there it is served.
func TestLibraryOutOfOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "good"), 0o755), os.Mkdir(filepath.Join(dir, "disk"), 0o755))
	s := serveIn(t, dir, `
[libraries.good]
path = "good"
[libraries.bad]
path = "disk/bad"
[accounts.ada]
authorized_keys_file = "id.pub"
libraries = { good = ["editor"], bad = ["editor"] }
[accounts.bob]
library = "none"
authorized_keys_file = "id.pub"
[accounts.cem]
authorized_keys_file = "nowhere"
library = "good"
`)
	said := s.said()
	for _, want := range []string{"library=bad", "account=bob", "account=cem"} {
		if !strings.Contains(said, want) {
			t.Errorf("the log does not name %s:\n%s", want, said)
		}
	}
	c := s.dial(t)
	must(t, c.putFile("/good/file", []byte("good")))
	if err := c.putFile("/bad/file", []byte("bad")); err == nil || !strings.Contains(err.Error(), "cannot be served now") {
		t.Errorf("into a library that is not there: %v", err)
	}
	for _, name := range []string{"bob", "cem"} {
		if s.exchanges(name) == nil {
			t.Errorf("%s is let in", name)
		}
	}
	out, err := exec.Command("shelfd", "check", "--config", filepath.Join(dir, "shelfd.toml"), "--state", s.state).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("disk/bad")) || !bytes.Contains(out, []byte("accounts.bob.library")) || !bytes.Contains(out, []byte(`"cem"`)) {
		t.Errorf("check: %v\n%s", err, out)
	}
	must(t, os.Mkdir(filepath.Join(dir, "disk", "bad"), 0o755))
	eventually(t, "the library is served", func() bool { return c.putFile("/bad/file", []byte("bad")) == nil })
}
