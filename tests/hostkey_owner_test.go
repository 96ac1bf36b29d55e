package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestHostKeysOfTheServerInUse: root lists and makes no keys of a server that
// nobody has named, and what root makes belongs to the owner of the state folder.
func TestHostKeysOfTheServerInUse(t *testing.T) {
	home := t.TempDir()
	run := func(args ...string) (string, error) {
		cmd := exec.Command("shelfd", append([]string{"hostkey"}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(); err == nil {
		t.Errorf("lists the keys of no server:\n%s", out)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("made %v, %v", left, err)
	}
	if os.Geteuid() != 0 {
		return
	}
	if out, err := run("new", "ed25519"); err == nil || !strings.Contains(out, "root has to say") {
		t.Errorf("%v\n%s", err, out)
	}
	state := filepath.Join(home, "state")
	must(t, os.Mkdir(state, 0o700), os.Chown(state, 12345, 12345), os.Chmod(home, 0o755), os.Chmod(filepath.Dir(home), 0o755))
	if out, err := run("new", "ed25519", "--state", state); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(filepath.Join(state, "ssh_host_ed25519_key"))
	must(t, err)
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 12345 {
		t.Errorf("the key belongs to user %d", owner)
	}
	if out, err := run("--state", state); err != nil || !strings.Contains(out, "ssh-ed25519 in use") {
		t.Errorf("%v\n%s", err, out)
	}
}
