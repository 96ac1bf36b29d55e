package tests

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const twoAccounts = `
library = "library"
[accounts.ada]
authorized_keys_file = "id.pub"
[accounts.bob]
authorized_keys_file = "id.pub"
`

func serveConfigured(t *testing.T, toml string) *server {
	t.Helper()
	return serveIn(t, t.TempDir(), toml)
}

// servePermitting is a server whose account has these permissions.
func servePermitting(t *testing.T, permissions string) *server {
	t.Helper()
	return serveConfigured(t, `
		[libraries.default]
		path = "library"
		[accounts.ada]
		authorized_keys_file = "id.pub"
		permissions = ["`+permissions+`"]`)
}

// TestReload reloads again and again, every other time a file with a mistake,
// while clients log in and transfer: none is refused and none is cut off.
func TestReload(t *testing.T) {
	reloads := orInFull(40, 1000)
	s := serveConfigured(t, twoAccounts)
	file := filepath.Join(s.dir, "shelfd.toml")
	var over atomic.Bool
	var all sync.WaitGroup
	for _, account := range []string{"ada", "bob"} {
		all.Go(func() {
			for !over.Load() {
				if err := s.visit(account); err != nil {
					t.Errorf("%s: %v", account, err)
					return
				}
			}
		})
	}
	for i := range reloads {
		toml, said := twoAccounts, "was reloaded"
		if i%2 == 0 {
			toml, said = "mistake = 1\n"+twoAccounts, `the nearest is`
		}
		if err := os.WriteFile(file, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
		s.reload(t, said)
	}
	over.Store(true)
	all.Wait()

	// What has changed holds for who comes.
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(twoAccounts, "accounts.bob", "accounts.cem")), 0o600); err != nil {
		t.Fatal(err)
	}
	s.hangUp()
	// Visits come in turns to the server and the one beside it.
	eventually(t, "cem is let in", func() bool {
		return !slices.ContainsFunc(s.all(), func(*server) bool { return s.visit("cem") != nil })
	})
	for range s.all() {
		if s.visit("bob") == nil {
			t.Error("bob is still let in")
		}
	}
}

// visit logs in, uploads a file, downloads it and leaves.
func (s *server) visit(account string) error {
	c, err := s.connectAs(account)
	if err != nil {
		return err
	}
	defer c.close()
	return c.roundTrip(account, content(1, 300_000))
}

// TestPartialsArePrivate cuts an upload off: who began it can see how far it
// came, and another account sees nothing.
func TestPartialsArePrivate(t *testing.T) {
	const arrived = 2 << 20
	s := serveConfigured(t, twoAccounts)
	c := s.dial(t)
	f, err := c.OpenFile("file", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content(1, arrived)); err != nil {
		t.Fatal(err)
	}
	c.cut(true)
	ada := s.dial(t)
	eventually(t, "the partial is kept", func() bool { i, err := ada.Stat("file"); return err == nil && i.Size() == arrived })
	bob, err := s.connectAs("bob")
	if err != nil {
		t.Fatal(err)
	}
	defer bob.close()
	if i, err := bob.Stat("file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another account sees %v (%v)", i, err)
	}
	if f, err := bob.OpenFile("file", os.O_WRONLY); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another account opens it: %v, %v", f, err)
	}
	if l, err := bob.ReadDir("/"); err != nil || len(l) != 0 {
		t.Errorf("another account is listed %v (%v)", l, err)
	}
}
