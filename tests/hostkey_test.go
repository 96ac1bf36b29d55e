package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestClientsLearnHostKeys has the stock client learn the next host key, and
// trust it once it is used, without a question.
func TestClientsLearnHostKeys(t *testing.T) {
	need(t, "sftp")
	s := serve(t)
	known := filepath.Join(t.TempDir(), "known_hosts")
	visit := func(check string) {
		t.Helper()
		cmd := exec.Command("sftp", "-F", s.config, "-o", "UserKnownHostsFile="+known, "-o", "UpdateHostKeys=yes",
			"-o", "StrictHostKeyChecking="+check, "-b", "-", "shelf")
		cmd.Stdin = strings.NewReader("ls\n")
		succeed(t, cmd)
	}
	visit("accept-new")
	succeed(t, exec.Command("shelfd", "hostkey", "new", "ed25519", "--state", s.state))
	s.reload(t, "was reloaded")
	eventually(t, "the client has learnt the next key", func() bool {
		visit("yes")
		text, err := os.ReadFile(known)
		return err == nil && strings.Count(string(text), "ssh-ed25519") == 2
	})
	succeed(t, exec.Command("shelfd", "hostkey", "rotate", "--state", s.state))
	s.reload(t, "was reloaded")
	visit("yes")
}

// TestShelfLearnsHostKeys has our client do the same.
func TestShelfLearnsHostKeys(t *testing.T) {
	s := serve(t)
	known := filepath.Join(t.TempDir(), "known_hosts")
	visit := func(more ...string) {
		t.Helper()
		flags := append([]string{"-F", "none", "-i", s.identity, "--known-hosts", known}, more...)
		succeed(t, exec.Command("shelf", append(flags, user+"@"+s.addr, "list")...))
	}
	visit("--accept-new")
	succeed(t, exec.Command("shelfd", "hostkey", "new", "ed25519", "--state", s.state))
	s.reload(t, "was reloaded")
	eventually(t, "the client has learnt the next key", func() bool {
		visit()
		text, err := os.ReadFile(known)
		return err == nil && strings.Count(string(text), "ssh-ed25519") == 2
	})
	succeed(t, exec.Command("shelfd", "hostkey", "rotate", "--state", s.state))
	s.reload(t, "was reloaded")
	visit()
}
