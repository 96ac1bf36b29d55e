package sshd

import (
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"shelf/keys"
)

// Who is logged in stays; who comes is judged by the new configuration, unless
// there is a mistake in it.
func TestReload(t *testing.T) {
	var config Config
	s := serve(t, func(c *Config) { config = *c })
	old, err := sftp.NewClient(s.dial(t))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	authorized := keys.NewAuthorizedKeys(s.file, config.Log)
	if config.Accounts, err = keys.NewAccounts(keys.Options{Accounts: []keys.Account{{Name: "bob", AuthorizedKeys: authorized}}}); err != nil {
		t.Fatal(err)
	}
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
		t.Error("ana is let in though she is none any more")
	}
	c := s.clientConfig()
	c.User = "bob"
	client, err := ssh.Dial("tcp", s.address, c)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	if _, err := old.ReadDir("/"); err != nil {
		t.Errorf("who was logged in is cut off: %v", err)
	}
}
