package keys

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// peer is the client of a login, as far as accounts look at it.
type peer struct {
	ssh.ConnMetadata
	user, from string
}

func (p peer) User() string         { return p.user }
func (p peer) RemoteAddr() net.Addr { return addr(p.from) }

// login does what x/crypto does when a client offers a key, and then proves
// that it has it.
func login(a *Accounts, p peer, key ssh.PublicKey) (Identity, error) {
	permissions, err := a.Callbacks(context.Background(), nil).PublicKeyCallback(p, key)
	if err != nil {
		return Identity{}, err
	}
	permissions, err = a.Verified(p, key, permissions, key.Type())
	if err != nil {
		return Identity{}, err
	}
	id, ok := IdentityOf(permissions)
	if !ok {
		return Identity{}, errors.New("no identity")
	}
	return id, nil
}

func keyFile(t *testing.T, content string) *AuthorizedKeys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "authorized_keys")
	if err := put(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return NewAuthorizedKeys(path, slog.New(slog.DiscardHandler))
}

func accountsOf(t *testing.T, accounts ...Account) *Accounts {
	t.Helper()
	a, err := NewAccounts(Options{Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	a.now = func() time.Time { return time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC) }
	return a
}

func TestLogin(t *testing.T) {
	key, other := newKey(t).PublicKey(), newKey(t).PublicKey()
	const home, away = "192.0.2.1:50000", "198.51.100.1:50000"
	for name, test := range map[string]struct {
		file       string
		user, from string
		want       string // in the reason; "" is that the login succeeds
	}{
		"the key":                    {text(key), "ana", home, ""},
		"among others":               {"# keys\n\n" + text(other) + "\r\n  " + text(key) + " laptop\n", "ana", home, ""},
		"another key":                {text(other), "ana", home, "not authorized"},
		"no key":                     {"", "ana", home, "not authorized"},
		"no such account":            {text(key), "bob", home, "no account"},
		"no name":                    {text(key), "", home, "no account"},
		"from there":                 {`from="192.0.2.0/24" ` + text(key), "ana", home, ""},
		"not from there":             {`from="192.0.2.0/24" ` + text(key), "ana", away, "your address"},
		"before it expires":          {`expiry-time="20300602Z" ` + text(key), "ana", home, ""},
		"when it expires":            {`expiry-time="20300601120000Z" ` + text(key), "ana", home, "expired on 2030-06-01 12:00 UTC"},
		"expired":                    {`expiry-time="20200101Z" ` + text(key), "ana", home, "expired"},
		"one line of two":            {`from="203.0.113.1" ` + text(key) + "\n" + text(key), "ana", home, ""},
		"neither of two":             {`from="203.0.113.1" ` + text(key) + "\n" + `expiry-time="20200101Z" ` + text(key), "ana", home, "expired"},
		"an option not known":        {"wonder " + text(key), "ana", home, "not authorized"},
		"the option of another line": {"wonder " + text(other) + "\n" + text(key), "ana", home, ""},
		"commented out":              {"#" + text(key), "ana", home, "not authorized"},
	} {
		t.Run(name, func(t *testing.T) {
			a := accountsOf(t, Account{Name: "ana", AuthorizedKeys: keyFile(t, test.file)})
			id, err := login(a, peer{user: test.user, from: test.from}, key)
			wantReason(t, err, test.want)
			want := Identity{Account: "ana", Method: "publickey", Fingerprint: ssh.FingerprintSHA256(key), key: id.key}
			if err == nil && id != want {
				t.Errorf("logged in as %+v, want %+v", id, want)
			}
		})
	}
}

func TestEachAccountHasItsOwnKeys(t *testing.T) {
	anas, bobs := newKey(t).PublicKey(), newKey(t).PublicKey()
	a := accountsOf(t, Account{Name: "ana", AuthorizedKeys: keyFile(t, text(anas))}, Account{Name: "bob", AuthorizedKeys: keyFile(t, text(bobs))})
	if _, err := login(a, peer{user: "bob"}, anas); err == nil {
		t.Error("bob's account opens to ana's key")
	}
	if id, err := login(a, peer{user: "bob"}, bobs); err != nil || id.Account != "bob" {
		t.Errorf("bob's key gives %+v (%v)", id, err)
	}
}

// A client may be approved for one account and then ask for another.
func TestProofIsForTheAccountOfTheOffer(t *testing.T) {
	key := newKey(t).PublicKey()
	a := accountsOf(t, Account{Name: "ana", AuthorizedKeys: keyFile(t, text(key))}, Account{Name: "bob", AuthorizedKeys: keyFile(t, text(newKey(t).PublicKey()))})
	offered, err := a.Callbacks(context.Background(), nil).PublicKeyCallback(peer{user: "ana"}, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Verified(peer{user: "bob"}, key, offered, key.Type()); err == nil {
		t.Error("what ana was granted lets bob in")
	}
	if _, err := a.Verified(peer{user: "ana"}, key, nil, key.Type()); err == nil {
		t.Error("a proof without an offer lets in")
	}
}

// Why a proven key is refused is told to its owner, and to nobody before.
func TestReasonIsToldOnceTheKeyIsProven(t *testing.T) {
	key := newKey(t).PublicKey()
	a := accountsOf(t, Account{Name: "ana", AuthorizedKeys: keyFile(t, `expiry-time="20200101Z" `+text(key))})
	offered, err := a.Callbacks(context.Background(), nil).PublicKeyCallback(peer{user: "ana"}, key)
	if err != nil {
		t.Fatalf("an offer is refused before it is proven: %v", err)
	}
	_, err = a.Verified(peer{user: "ana"}, key, offered, key.Type())
	var banner *ssh.BannerError
	if !errors.As(err, &banner) || !strings.Contains(banner.Message, "expired") {
		t.Errorf("got %v, want a banner that says why", err)
	}
	_, err = a.Callbacks(context.Background(), nil).PublicKeyCallback(peer{user: "bob"}, key)
	if errors.As(err, &banner) {
		t.Errorf("a stranger is told %q", banner.Message)
	}
}

func TestTouchIsWaivedOnlyByAllLines(t *testing.T) {
	key := skKey(t)
	for file, want := range map[string]bool{
		text(key):                        false,
		"no-touch-required " + text(key): true,
		"no-touch-required " + text(key) + "\n" + text(key): false,
	} {
		a := accountsOf(t, Account{Name: "ana", AuthorizedKeys: keyFile(t, file)})
		offered, err := a.Callbacks(context.Background(), nil).PublicKeyCallback(peer{user: "ana"}, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := offered.Extensions[noTouchRequired]; got != want {
			t.Errorf("%q waives the touch: %v, want %v", file, got, want)
		}
	}
}

func TestKeysAreReadAnewAtEachLogin(t *testing.T) {
	key := newKey(t).PublicKey()
	file := keyFile(t, "")
	a := accountsOf(t, Account{Name: "ana", AuthorizedKeys: file})
	if _, err := login(a, peer{user: "ana"}, key); err == nil {
		t.Fatal("an empty file lets in")
	}
	if err := put(file.Path(), []byte(text(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := login(a, peer{user: "ana"}, key); err != nil {
		t.Errorf("a key that was added is refused: %v", err)
	}
	if err := os.Remove(file.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := login(a, peer{user: "ana"}, key); err == nil {
		t.Error("a file that is gone lets in")
	}
}

func TestKeyFileRefused(t *testing.T) {
	line := []byte(text(newKey(t).PublicKey()) + "\n")
	for name, test := range map[string]struct {
		put  func(path string) error
		want string
	}{
		"a good one":            {func(p string) error { return put(p, line, 0o644) }, ""},
		"a link to one":         {func(p string) error { return firstOf(put(p+"2", line, 0o600), os.Symlink(p+"2", p)) }, ""},
		"writable by the group": {func(p string) error { return put(p, line, 0o664) }, "run: chmod go-w"},
		"writable by others":    {func(p string) error { return put(p, line, 0o646) }, "run: chmod go-w"},
		"in a folder for all": {func(p string) error {
			return firstOf(put(p, line, 0o600), os.Chmod(filepath.Dir(p), 0o777))
		}, "others may replace"},
		"missing":       {func(string) error { return nil }, "no such file"},
		"empty":         {func(p string) error { return put(p, nil, 0o600) }, "no key that can log in"},
		"no good":       {func(p string) error { return put(p, []byte("#\n\nwonder "+string(line)), 0o600) }, "line 3: option"},
		"a FIFO":        {func(p string) error { return unix.Mkfifo(p, 0o600) }, "not a regular file"},
		"a folder":      {func(p string) error { return os.Mkdir(p, 0o700) }, "not a regular file"},
		"a private key": {func(p string) error { _, err := Generate(p, ""); return err }, "this is a private key; the public one, from the .pub file"},
		"PuTTY's":       {func(p string) error { return put(p, []byte("PuTTY-User-Key-File-3: ssh-ed25519\n"), 0o600) }, "this is a private key"},
		"a remark on one": {func(p string) error {
			return put(p, append([]byte("# -----BEGIN OPENSSH PRIVATE KEY-----\n"), line...), 0o600)
		}, ""},
		"too large":  {func(p string) error { return put(p, bytes.Repeat(line, 20000), 0o600) }, "larger than"},
		"large":      {func(p string) error { return put(p, bytes.Repeat(line, 5000), 0o600) }, ""},
		"one line":   {func(p string) error { return put(p, bytes.Repeat([]byte("x"), maxAuthorizedKeys), 0o600) }, "line 1"},
		"no newline": {func(p string) error { return put(p, bytes.TrimSpace(line), 0o600) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "authorized_keys")
			if err := test.put(path); err != nil {
				t.Fatal(err)
			}
			wantReason(t, NewAuthorizedKeys(path, slog.New(slog.DiscardHandler)).Check(), test.want)
		})
	}
}

func TestWarningNamesFileAndLineOnce(t *testing.T) {
	var log bytes.Buffer
	key := newKey(t).PublicKey()
	file := keyFile(t, text(key)+"\n\ncommand=\"true\" "+text(newKey(t).PublicKey())+"\n")
	file.log = slog.New(slog.NewTextHandler(&log, nil))
	a := accountsOf(t, Account{Name: "ana", AuthorizedKeys: file})
	for range 3 {
		if _, err := login(a, peer{user: "ana"}, key); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 1 || !strings.Contains(lines[0], file.Path()) ||
		!strings.Contains(lines[0], "line 3") || !strings.Contains(lines[0], "command") {
		t.Errorf("the log holds %q, want one warning of line 3 of %s", lines, file.Path())
	}
}

func TestNewAccountsRefuses(t *testing.T) {
	file := keyFile(t, "")
	for name, accounts := range map[string][]Account{
		"none":         nil,
		"no name":      {{AuthorizedKeys: file}},
		"no keys":      {{Name: "ana"}},
		"a name twice": {{Name: "ana", AuthorizedKeys: file}, {Name: "ana", AuthorizedKeys: file}},
	} {
		if _, err := NewAccounts(Options{Accounts: accounts}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
