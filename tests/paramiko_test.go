package tests

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestParamiko runs testdata/with_paramiko.py, as an account that may not delete
// and as one that may.
func TestParamiko(t *testing.T) {
	paramiko.need(t)
	script, err := filepath.Abs("testdata/with_paramiko.py")
	if err != nil {
		t.Fatal(err)
	}
	for mayDelete, permissions := range map[string]string{"no": "editor", "yes": "admin"} {
		t.Run("delete="+mayDelete, func(t *testing.T) {
			t.Parallel()
			s := servePermitting(t, permissions)
			if err := os.Symlink("/etc/passwd", filepath.Join(s.library, "link")); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("/usr/bin/python3", "-B", script)
			cmd.Dir = t.TempDir()
			cmd.Env = append(s.clientEnv(t), "MAY_DELETE="+mayDelete)
			succeed(t, cmd)
		})
	}
}

// clientEnv is the environment of a client that is no OpenSSH: where the server
// is and how to know it and log in.
func (s *server) clientEnv(t testing.TB) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	succeed(t, sftpBatch(s, "pwd\n")) // learns the host key
	return append(os.Environ(), "HOME="+t.TempDir(), "HOST="+host, "PORT="+port, "ACCOUNT="+user, "ID="+s.identity,
		"KNOWN_HOSTS="+filepath.Join(s.dir, "known_hosts"), "CONFIG="+s.config)
}
