package keys

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What it takes to refuse a key says nothing about whose file is long, nor about
// whether there is an account at all. Allocations stand for the time: reading a
// line takes some.
func TestFilesOfKeysTakeTheSame(t *testing.T) {
	line := text(newKey(t).PublicKey()) + "\n"
	big, small := keyFile(t, strings.Repeat(line, 5000)), keyFile(t, line)
	big.now, small.now = nextHour, nextHour
	a := accountsOf(t, Account{Name: "big", AuthorizedKeys: big}, Account{Name: "small", AuthorizedKeys: small})
	a.Entrances() // as at the start of a server
	stranger := newKey(t).PublicKey()
	took := make(map[string]float64)
	for _, user := range []string{"big", "small", "nobody", "noone", "nemo"} {
		took[user] = testing.AllocsPerRun(10, func() { login(a, peer{user: user, from: "192.0.2.1:1"}, stranger) })
	}
	for user, n := range took {
		if n > took["small"]+20 || n < took["small"]-20 {
			t.Errorf("%s takes %v, small %v", user, n, took["small"])
		}
	}
}

// nextHour is a clock by which a file just written has settled.
func nextHour() time.Time { return time.Now().Add(time.Hour) }

// A file that is known is read again when it has changed, in each way there is.
func TestKnownFileThatChanges(t *testing.T) {
	key, other := newKey(t).PublicKey(), newKey(t).PublicKey()
	for name, change := range map[string]func(path string) error{
		"written over": func(p string) error { return os.WriteFile(p, []byte(text(other)), 0o600) },
		"replaced": func(p string) error {
			return firstOf(os.WriteFile(p+".new", []byte(text(other)), 0o600), os.Rename(p+".new", p))
		},
		"as of then": func(p string) error {
			info, err := os.Stat(p)
			return firstOf(err, os.WriteFile(p, []byte(text(other)), 0o600), os.Chtimes(p, info.ModTime(), info.ModTime()))
		},
		"gone": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			file := keyFile(t, text(key))
			file.now = nextHour
			a := accountsOf(t, Account{Name: "ana", AuthorizedKeys: file})
			for range 2 {
				if _, err := login(a, peer{user: "ana"}, key); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(20 * time.Millisecond) // more than a tick of the file system's clock
			if err := change(file.Path()); err != nil {
				t.Fatal(err)
			}
			if _, err := login(a, peer{user: "ana"}, key); err == nil {
				t.Error("a key that is not listed any more lets in")
			}
		})
	}
}

// A file that has just been written is read each time: another change may have
// the same time.
func TestFreshFileIsReadAgain(t *testing.T) {
	file := keyFile(t, text(newKey(t).PublicKey()))
	if _, err := file.read(); err != nil || file.known != nil {
		t.Errorf("it is taken for settled (%v)", err)
	}
}

// A name that is no account is judged by the same one each time.
func TestStandInIsDrawnOnce(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"ana", "bob", "cem", "dan", "eve"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text(newKey(t).PublicKey())), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := NewAccounts(Options{KeyFiles: filepath.Join(folder, "%u"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	a.Entrances()
	first := a.find("nobody").AuthorizedKeys.Path()
	for range 100 {
		for _, name := range []string{"nobody", "noone"} {
			if got := a.find(name).AuthorizedKeys.Path(); got != first {
				t.Fatalf("%s is judged by %s, and by %s before", name, got, first)
			}
		}
	}
}

// A network of IPv4 in the form of IPv6 is what it stands for.
func TestMappedNetworks(t *testing.T) {
	s, err := ParseSources([]string{"::ffff:192.0.2.0/120"})
	if err != nil {
		t.Fatal(err)
	}
	if !s.allow(addr("192.0.2.1:1")) || s.allow(addr("192.0.3.1:1")) {
		t.Error("::ffff:192.0.2.0/120 is not 192.0.2.0/24")
	}
}

// Of an authority's key only certificates log in, of another line the key alone.
func TestKeyList(t *testing.T) {
	one, two := newKey(t).PublicKey(), newKey(t).PublicKey()
	keys, faults := parseAuthorizedKeys([]byte(text(one) + "\ncert-authority " + text(two) + "\nfrom=\"192.0.2.1\" " + text(one)))
	l := newKeyList(keys)
	if len(faults) > 0 || len(l.listing(one)) != 2 || len(l.listing(two)) != 0 || len(l.signing(two)) != 1 || len(l.signing(one)) != 0 {
		t.Errorf("%d, %d; %d, %d", len(l.listing(one)), len(l.listing(two)), len(l.signing(two)), len(l.signing(one)))
	}
}
