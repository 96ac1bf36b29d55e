package tests

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRekey has sftp ask for new keys every 16 MiB, in both directions, while
// a file of 80 MiB is on its way.
func TestRekey(t *testing.T) {
	need(t, "sftp")
	t.Parallel()
	const size = 80 << 20
	s := serve(t)
	dir := t.TempDir()
	source, back := filepath.Join(dir, "source"), filepath.Join(dir, "back")
	want := writeRandom(t, source, size)
	for _, c := range []struct{ command, file string }{
		{fmt.Sprintf("put %q file", source), filepath.Join(s.library, "file")},
		{fmt.Sprintf("get file %q", back), back},
	} {
		cmd := exec.Command("sftp", "-F", s.config, "-o", "RekeyLimit=16M", "-o", "LogLevel=DEBUG1", "-b", "-", "shelf")
		cmd.Stdin = strings.NewReader(c.command)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.command, err, out)
		}
		if digest(t, c.file) != want {
			t.Errorf("%s: arrived changed", c.command)
		}
		if n := strings.Count(string(out), "SSH2_MSG_NEWKEYS received"); n < 5 {
			t.Errorf("%s: %d key exchanges, want one every 16 MiB", c.command, n)
		}
	}
}

// TestScpBetweenServers copies from one Shelf to another, by way of the client.
func TestScpBetweenServers(t *testing.T) {
	need(t, "scp")
	t.Parallel()
	from, to := serve(t), serve(t)
	want := writeRandom(t, filepath.Join(from.library, "two words"), 3<<20)
	succeed(t, exec.Command("cp", "-p", filepath.Join(from.library, "two words"), filepath.Join(from.library, "b")))
	url := func(s *server, name string) string { return "scp://" + user + "@" + s.addr + "/" + name }
	scp := func(args ...string) *exec.Cmd {
		// Each server has its own address; both have their own account key.
		return exec.Command("scp", append([]string{
			"-3", "-p", "-o", "IdentityFile=" + from.identity, "-o", "IdentityFile=" + to.identity, "-o", "IdentitiesOnly=yes",
			"-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=" + filepath.Join(to.dir, "both"),
			"-o", "BatchMode=yes", "-F", "none",
		}, args...)...)
	}
	succeed(t, scp(url(from, "two words"), url(from, "b"), url(to, "")))
	for _, name := range []string{"two words", "b"} {
		if digest(t, filepath.Join(to.library, name)) != want {
			t.Errorf("%s arrived changed", name)
		}
	}
	if err := scp(url(from, "nothing"), url(to, "")).Run(); err == nil {
		t.Error("copied what is not there")
	}
}
