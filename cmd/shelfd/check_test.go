package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
)

func TestCheck(t *testing.T) {
	dir, s := setup(t)
	key, err := os.ReadFile(filepath.Join(dir, "id.pub"))
	if err != nil {
		t.Fatal(err)
	}
	hash, err := keys.HashPassword("canary")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	s.Accounts = map[string]config.Account{"ana": {
		AuthorizedKeys: []string{string(key)}, PasswordHash: hash, TOTPSecret: secret,
		Permissions: []config.Permission{{Word: "reader"}}, AuthenticationMethods: []string{"publickey"},
	}}
	s.AuthorizedKeysFile, s.User = "", ""
	var out, log bytes.Buffer
	if err := check(s, &out, &log); err != nil {
		t.Fatal(err)
	}
	if all := out.String() + log.String(); strings.Contains(all, hash) || strings.Contains(all, secret) {
		t.Errorf("a secret is shown:\n%s", all)
	}
	again, err := load(t, out.String())
	if err != nil {
		t.Fatalf("what is shown is no configuration: %v\n%s", err, out.String())
	}
	if a := again.Accounts["ana"]; len(a.Permissions) != 1 || a.Permissions[0].Word != "reader" || a.PasswordHash != "(hidden)" ||
		again.MaxStartups != s.MaxStartups || again.MemoryLimit != s.MemoryLimit {
		t.Errorf("shown is\n%s", out.String())
	}
	if left, err := os.ReadDir(s.Library); err != nil || len(left) != 0 {
		t.Errorf("left in the library: %v (%v)", left, err)
	}
	if _, err := os.Stat(s.State); err == nil {
		t.Error("a state folder was made")
	}
	for what, spoil := range map[string]func(*config.Settings){
		"a library that is missing": func(s *config.Settings) { s.Library = filepath.Join(dir, "nowhere") },
		"limits":                    func(s *config.Settings) { s.MaxStartups = config.Startups{N: -1} },
		"an account":                func(s *config.Settings) { s.Accounts = map[string]config.Account{"ana": {}} },
		"host keys": func(s *config.Settings) {
			s.State = filepath.Join(dir, "bad")
			os.Mkdir(s.State, 0o700)
			os.WriteFile(filepath.Join(s.State, "ssh_host_ed25519_key"), []byte("x"), 0o600)
		},
	} {
		bad := s
		spoil(&bad)
		if check(bad, &out, &log) == nil {
			t.Errorf("no mistake is found in %s", what)
		}
	}
}

func TestPasswd(t *testing.T) {
	c := passwdCommand()
	var out bytes.Buffer
	c.SetIn(strings.NewReader("canary\n"))
	c.SetOut(&out)
	c.SetArgs(nil)
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	if ok, err := argon2id.ComparePasswordAndHash("canary", strings.TrimSpace(out.String())); !ok || err != nil {
		t.Errorf("printed is %q (%v)", out.String(), err)
	}
	c = passwdCommand()
	c.SetIn(strings.NewReader("\n"))
	c.SetArgs(nil)
	c.SilenceErrors, c.SilenceUsage = true, true
	if c.Execute() == nil {
		t.Error("an empty password is hashed")
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
		c := hostkeyCommand()
		c.SilenceErrors, c.SilenceUsage = true, true
		var out bytes.Buffer
		c.SetOut(&out)
		c.SetArgs(append(args, "--state", state))
		err := c.Execute()
		return out.String(), err
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
