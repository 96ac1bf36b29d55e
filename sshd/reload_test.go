package sshd

import (
	"testing"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
)

// A connection that is logged in stays. New connections get the new configuration,
// unless it has a mistake.
func TestReload(t *testing.T) {
	var config Config
	s := serve(t, func(c *Config) { config = *c })
	_, old := s.dialSFTP(t)
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
	if _, err := old.ReadDir("/"); err != nil {
		t.Errorf("the old connection was closed: %v", err)
	}
}
