package tests

import (
	"crypto/ed25519"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// stranger is a shelf that has seen no server before, at home in a folder.
func stranger(s *server, folder string, args ...string) *exec.Cmd {
	flags := []string{"-F", "none", "--known-hosts", filepath.Join(folder, "known_hosts")}
	cmd := exec.Command("shelf", append(append(flags, args...), user+"@"+s.addr, "list")...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "HOME="+folder, "SSH_AUTH_SOCK=", "TERM=xterm")
	return cmd
}

// lockedKey makes a key with the passphrase "secret".
func lockedKey(t *testing.T, file string) ssh.PublicKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey()
}

// TestShelfFingerprint answers the question about a new host key with the
// fingerprint that the server printed, and with another one.
func TestShelfFingerprint(t *testing.T) {
	s, folder := serve(t), t.TempDir()
	print, err := s.fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	p := sit(t, stranger(s, folder, "-i", s.identity))
	p.sees(`Is it the right one\?`)
	p.types(print[:len(print)-1] + "." + enter)
	p.sees(`is not trusted`)
	p.leaves(4)
	p = sit(t, stranger(s, folder, "-i", s.identity))
	p.sees(`Is it the right one\?`)
	p.types(print + enter)
	p.sees(`is now in`)
	p.ends()
}

// leaves waits for the program to end with a status.
func (p *typist) leaves(status int) {
	p.t.Helper()
	p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		p.t.Errorf("it ended with status %d, want %d", got, status)
	}
}

// TestShelfLockedKeys has a key whose passphrase is not known: the next one is
// asked about. A wrong passphrase is called so.
func TestShelfLockedKeys(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first, second := lockedKey(t, filepath.Join(folder, "first")), lockedKey(t, filepath.Join(folder, "second"))
	keys := append(ssh.MarshalAuthorizedKey(first), ssh.MarshalAuthorizedKey(second)...)
	if err := os.WriteFile(filepath.Join(folder, "keys"), keys, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--user", user, "--authorized-keys", filepath.Join(folder, "keys"))
	p := sit(t, stranger(s, folder, "--accept-new", "-i", "first", "-i", "second"))
	p.sees(`passphrase of first: `)
	p.types("wrong" + enter)
	p.sees(`the passphrase is wrong`)
	p.sees(`passphrase of first: `)
	p.types(enter)
	p.sees(`first is not used`)
	p.sees(`passphrase of second: `)
	p.types("secret" + enter)
	p.ends()
	p = sit(t, stranger(s, folder, "-i", "first", "-i", "second"))
	p.sees(`passphrase of first: `)
	p.types(ctrlC)
	p.sees(`interrupted`)
	p.leaves(1)
}

// TestShelfPasswords types wrong passwords, is told so, and is refused in the end.
func TestShelfPasswords(t *testing.T) {
	t.Parallel()
	s := serveConfigured(t, "library = \"library\"\n[accounts.ada]\npassword_hash = \""+shelfdPasswd(t, "right")+"\"\n")
	folder := t.TempDir()
	p := sit(t, stranger(s, folder, "--accept-new"))
	p.sees(`(?i)password.*: `)
	p.types("wrong" + enter)
	p.sees(`that was wrong; try again`)
	p.sees(`(?i)password.*: `)
	p.types("right" + enter)
	p.ends()
	p = sit(t, stranger(s, folder))
	for i := range 6 { // max_auth_tries
		if i > 0 {
			p.sees(`that was wrong; try again`)
		}
		p.sees(`(?i)password.*: `)
		p.types("wrong" + enter)
	}
	p.sees(`does not let ada in`)
	p.leaves(5)
}

// TestShelfAsksNoScript runs a script at a terminal: nobody is asked there.
func TestShelfAsksNoScript(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	key := ssh.MarshalAuthorizedKey(lockedKey(t, filepath.Join(folder, "locked")))
	if err := os.WriteFile(filepath.Join(folder, "keys"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--user", user, "--authorized-keys", filepath.Join(folder, "keys"))
	script := func(args ...string) *typist {
		cmd := stranger(s, folder, args...)
		none, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { none.Close() })
		cmd.Stdin = none
		cmd.SysProcAttr = &syscall.SysProcAttr{Ctty: 1} // it has a terminal all the same
		return sit(t, cmd)
	}
	p := script("-i", "locked")
	p.sees(`is not known, and there is no terminal to ask at`)
	p.leaves(4)
	p = script("--accept-new", "-i", "locked")
	p.sees(`locked is not used: it is encrypted, and there is no terminal`)
	p.leaves(5)
	passwords := serveConfigured(t, "library = \"library\"\n[accounts.ada]\npassword_hash = \""+shelfdPasswd(t, "right")+"\"\n")
	s = passwords
	p = script("--accept-new")
	p.sees(`does not let ada in.*it accepts a password, but there is no terminal to ask at`)
	p.leaves(5)
}
