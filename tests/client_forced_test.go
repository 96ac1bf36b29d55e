package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestForcedSFTP: sshd runs its sftp server and nothing else for a key whose line
// says command="internal-sftp", and for a certificate with that force-command. The
// first was refused here; the second could still run commands.
func TestForcedSFTP(t *testing.T) {
	need(t, "ssh-keygen")
	need(t, "scp")
	t.Run("certificate", func(t *testing.T) {
		dir := t.TempDir()
		id := filepath.Join(dir, "id")
		must(t, makeKey(id), makeKey(filepath.Join(dir, "ca")))
		succeed(t, exec.Command("ssh-keygen", "-q", "-s", filepath.Join(dir, "ca"), "-I", "ada", "-n", user, "-O", "force-command=internal-sftp", id+".pub"))
		s := serveIn(t, dir, `
			library = "library"
			trusted_user_ca_keys = "ca.pub"
			[accounts.ada]`)
		s.servesOnlySFTP(t)
	})
	for _, line := range []string{`command="internal-sftp"`, `restrict,command="internal-sftp"`, `command="internal-sftp",from="127.0.0.1"`} {
		t.Run(line, func(t *testing.T) {
			dir := t.TempDir()
			id := filepath.Join(dir, "id")
			must(t, makeKey(id), os.WriteFile(filepath.Join(dir, "keys"), []byte(line+" "+string(slurp(t, id+".pub"))), 0o644))
			s := serveIn(t, dir, `
				library = "library"
				[accounts.ada]
				authorized_keys_file = "keys"`)
			s.servesOnlySFTP(t)
		})
	}
}

// servesOnlySFTP has sftp and scp work, and every command refused with a reason.
func (s *server) servesOnlySFTP(t *testing.T) {
	t.Helper()
	s.put(t, "file", []byte("text"))
	local := filepath.Join(t.TempDir(), "local")
	must(t, os.WriteFile(local, []byte("uploaded"), 0o644))
	if out, err := sftpBatch(s, "get file "+local+".back\nput "+local+" put\n").CombinedOutput(); err != nil {
		t.Fatalf("sftp: %v\n%s", err, out)
	}
	succeed(t, exec.Command("scp", "-F", s.config, local, "shelf:copied"))
	for _, command := range [][]string{
		{"ssh", "-F", s.config, "shelf", "sha256sum file"},
		{"scp", "-O", "-F", s.config, "shelf:file", local},
		{"scp", "-O", "-F", s.config, local, "shelf:legacy"},
	} {
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "sftp") {
			t.Errorf("%q: %v\n%s", command, err, out)
		}
	}
	if _, err := os.Stat(filepath.Join(s.library, "legacy")); err == nil {
		t.Error("scp -O uploaded a file")
	}
}
