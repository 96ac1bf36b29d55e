package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/library"
	"shelf/keys"
	"shelf/sshd/budget"
	"shelf/vfs"
)

// Who had a table, and with it a second factor, does not log in by a key alone
// when the table goes: neither after a reload nor after a restart.
func TestAccountIsGoneWithItsTable(t *testing.T) {
	dir, key := t.TempDir(), publicKey(t)
	folder := filepath.Join(dir, "keys")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ada", "bob"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	top := "authorized_keys_file = \"" + folder + "/%u\"\nstate = \"" + filepath.Join(dir, "state") + "\"\n"
	with, err1 := load(t, top+"[accounts.bob]\ntotp_secret = \"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\"\n")
	without, err2 := load(t, top)
	said, err3 := load(t, top+"[file_accounts]\nwithout_table = [\"bob\"]\n")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	start := func(s config.Settings) *accounts {
		t.Helper()
		a := &accounts{used: keys.NewUsedCodes(), log: slog.New(slog.NewTextHandler(&log, nil))}
		if err := a.open(s); err != nil {
			t.Fatal(err)
		}
		return a
	}
	want := func(when string, a *accounts, want ...string) {
		t.Helper()
		var got []string
		for _, e := range a.current.Entrances() {
			got = append(got, e.Account+": "+strings.Join(e.Ways, ", "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	a := start(with)
	want("with a table", a, "ada: 1 key", "bob: 1 key + code")
	commit, err := a.reload(with, without)
	if err = errors.Join(err, commit()); err != nil {
		t.Fatal(err)
	}
	want("after a reload", a, "ada: 1 key")
	want("after a restart", start(without), "ada: 1 key")
	if !strings.Contains(log.String(), "a key file makes no account") {
		t.Errorf("the log says %q", log.String())
	}
	want("if it is said so", start(said), "ada: 1 key", "bob: 1 key")
}

// Who guesses passwords has to wait after a reload as before.
func TestReloadForgivesNoGuesses(t *testing.T) {
	hash, err := keys.HashPassword("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	s, err := load(t, "[accounts.bob]\npassword_hash = \""+hash+"\"\n")
	if err != nil {
		t.Fatal(err)
	}
	a := &accounts{hashing: budget.NewTurns(1), log: slog.New(slog.DiscardHandler)}
	if err := a.open(s); err != nil {
		t.Fatal(err)
	}
	guess := func() time.Duration {
		start := time.Now()
		if _, err := a.current.Callbacks(t.Context(), nil).PasswordCallback(bob{}, []byte("wrong")); err == nil {
			t.Fatal("a wrong password is right")
		}
		return time.Since(start)
	}
	for range 7 {
		guess()
	}
	commit, err := a.reload(s, s)
	if err = errors.Join(err, commit()); err != nil {
		t.Fatal(err)
	}
	if took := guess(); took < 700*time.Millisecond {
		t.Errorf("after a reload the eighth guess was answered within %v", took)
	}
}

// bob is a client that says it is him.
type bob struct{ ssh.ConnMetadata }

func (bob) User() string         { return "bob" }
func (bob) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// What accounts of key files may do is said in one place.
func TestFileAccounts(t *testing.T) {
	s, err := load(t, `
authorized_keys_file = "keys/%u"
[libraries.in]
path = "in"
[libraries.out]
path = "out"
[file_accounts]
library = "in"
permissions = ["dropbox"]
`)
	if err != nil {
		t.Fatal(err)
	}
	set := library.New(s, slog.New(slog.DiscardHandler), nil)
	in, _ := set.Source("in", "")
	got, err := newServices(s, set, nil, new(rates)).service(keys.Identity{Account: "dan"})
	if share := got.Shares[""]; err != nil || share.Source != in || share.Permissions != (vfs.Permissions{Write: true}) {
		t.Errorf("dan gets %+v (%v)", got, err)
	}
	s.FileAccounts.Library = "on"
	if err := checkDropped(s, nil); err == nil || !strings.Contains(err.Error(), "file_accounts.library: there is no library") {
		t.Errorf("got %v", err)
	}
}
