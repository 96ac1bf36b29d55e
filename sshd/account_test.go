package sshd

import (
	"os"
	"strings"
	"testing"

	"github.com/pkg/sftp"

	"shelf/sshd/budget"
)

// TestLimitsOfAnAccountCountAllItsConnections has an account go past each limit with
// more than one connection.
func TestLimitsOfAnAccountCountAllItsConnections(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Limits.PerAccount.Connections, c.Limits.PerAccount.Channels, c.Limits.PerAccount.OpenFiles = 3, 4, 5
	})
	one, other := s.dial(t), s.dial(t)
	first, err := sftp.NewClient(one)
	if err != nil {
		t.Fatal(err)
	}
	second, err := sftp.NewClient(other)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		client := first
		if n%2 == 0 {
			client = second
		}
		if _, err := client.OpenFile(strings.Repeat("n", n+1), os.O_WRONLY|os.O_CREATE); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := first.ReadDir("/"); err == nil || !strings.Contains(err.Error(), "(account_limits.open_files)") {
		t.Errorf("a sixth handle: %v", err)
	}
	for range 2 {
		openSession(t, other)
	}
	if _, _, err := one.OpenChannel("session", nil); err == nil || !strings.Contains(err.Error(), "(account_limits.channels)") {
		t.Errorf("a fifth channel: %v", err)
	}
	s.dial(t)
	s.refusesLogin(t, "(account_limits.connections)")
	other.Close()
	eventually(t, "what a connection had is given back", func() bool {
		return s.gate.budget.Used(budget.Channels) == 1 && s.gate.budget.Used(budget.OpenFiles) == 2 && s.gate.budget.Used(budget.Connections) == 2
	})
	first.Close()
	one.Close()
	eventually(t, "all is given back", func() bool { return s.gate.budget.Used(budget.OpenFiles)+s.gate.budget.Used(budget.Channels) == 0 })
}

// TestCommandsAreOpenFiles runs a command of an account that has all files open that
// it may. Commands once counted as none, and could take the last descriptor.
func TestCommandsAreOpenFiles(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.PerAccount.OpenFiles = 1 })
	client := s.dial(t)
	files, err := sftp.NewClient(client)
	if err != nil {
		t.Fatal(err)
	}
	f, err := files.Create("f")
	if err != nil {
		t.Fatal(err)
	}
	digest := func() (string, error) {
		session, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out, err := session.CombinedOutput("md5sum f")
		return string(out), err
	}
	if out, err := digest(); err == nil || !strings.Contains(out, "(account_limits.open_files)") {
		t.Errorf("one more: %v, %q", err, out)
	}
	f.Close()
	eventually(t, "it is given back", func() bool { return s.gate.budget.Used(budget.OpenFiles) == 0 })
	for range 2 {
		if out, err := digest(); err != nil {
			t.Errorf("when it was closed: %v, %q", err, out)
		}
		eventually(t, "the command's is given back", func() bool { return s.gate.budget.Used(budget.OpenFiles) == 0 })
	}
}
