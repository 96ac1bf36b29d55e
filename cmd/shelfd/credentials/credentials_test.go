package credentials

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"

	"shelf/keys"
)

func TestPasswd(t *testing.T) {
	c := Passwd()
	var out bytes.Buffer
	c.SetIn(strings.NewReader("canary\n"))
	c.SetOut(&out)
	c.SetArgs([]string{"--weak"})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	if ok, err := argon2id.ComparePasswordAndHash("canary", strings.TrimSpace(out.String())); !ok || err != nil {
		t.Errorf("printed is %q (%v)", out.String(), err)
	}
	c = Passwd()
	c.SetIn(strings.NewReader("\n"))
	c.SetArgs(nil)
	c.SilenceErrors, c.SilenceUsage = true, true
	if c.Execute() == nil {
		t.Error("an empty password is hashed")
	}
	c.SetIn(strings.NewReader("canary\n"))
	if c.Execute() == nil {
		t.Error("a short password is hashed, and nobody has asked for that")
	}
}

func TestTOTP(t *testing.T) {
	var out bytes.Buffer
	if err := newTOTP("ana", &out); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`^totp_secret = "([A-Z2-7]{32})"\n`).FindStringSubmatch(out.String())
	if m == nil || !strings.Contains(out.String(), "█") {
		t.Fatalf("printed is\n%s", out.String())
	}
	hash, err := keys.HashPassword("x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.NewAccounts(keys.Options{Accounts: []keys.Account{{Name: "ana", PasswordHash: hash, TOTPSecret: m[1]}}}); err != nil {
		t.Errorf("the secret is not accepted: %v", err)
	}
	if newTOTP("a b", &out) == nil {
		t.Error("a name with a space is accepted")
	}
}

func TestHostkeyCommand(t *testing.T) {
	state := t.TempDir()
	run := func(args ...string) (string, error) {
		c := Hostkey()
		c.SilenceErrors, c.SilenceUsage = true, true
		var out bytes.Buffer
		c.SetOut(&out)
		c.SetArgs(append(args, "--state", state))
		err := c.Execute()
		return out.String(), err
	}
	if out, err := run(); err == nil {
		t.Errorf("lists keys that there are not: %q", out)
	}
	if left, err := os.ReadDir(state); err != nil || len(left) > 0 {
		t.Errorf("a list has made %v, %v", left, err)
	}
	if _, err := run("new", "ed25519"); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err != nil || !strings.Contains(out, "ssh-ed25519 in use") || strings.Contains(out, "next") {
		t.Fatalf("%q, %v", out, err)
	}
	if _, err := run("rotate"); err == nil {
		t.Error("rotated to nothing")
	}
	made, err := run("new", "ed25519")
	if err != nil {
		t.Fatal(err)
	}
	print, _, _ := strings.Cut(made, " ")
	if out, err := run(); err != nil || !strings.Contains(out, print+" ssh-ed25519 next") {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := run("rotate"); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err != nil || !strings.Contains(out, print+" ssh-ed25519 in use") || strings.Contains(out, "next") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestKeygenLeavesFilesAlone(t *testing.T) {
	id := filepath.Join(t.TempDir(), "id")
	if err := WriteKeyPair(id, io.Discard); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(id)
	if err := WriteKeyPair(id, io.Discard); err == nil {
		t.Error("a pair was replaced")
	}
	if err := os.Remove(id + ".pub"); err != nil {
		t.Fatal(err)
	}
	if err := WriteKeyPair(id, io.Discard); err == nil {
		t.Error("a private key was replaced")
	}
	if after, _ := os.ReadFile(id); !bytes.Equal(before, after) {
		t.Error("the private key changed")
	}
	if _, err := os.Stat(id + ".pub"); err == nil {
		t.Error("a public key is there that belongs to no private one")
	}
}
