package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
