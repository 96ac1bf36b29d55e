package tests

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestParamikoChecks has paramiko compare files by check-file, of a size that
// takes several reads.
func TestParamikoChecks(t *testing.T) {
	need(t, "/usr/bin/python3")
	paramiko.need(t)
	t.Parallel()
	s := serve(t)
	s.put(t, "a.bin", []byte(strings.Repeat("hello, ", 100_000)))
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", `
import hashlib, os, paramiko
c = paramiko.SSHClient()
c.set_missing_host_key_policy(paramiko.AutoAddPolicy())
c.connect("127.0.0.1", int(os.environ["PORT"]), os.environ["ACCOUNT"], key_filename=os.environ["ID"], allow_agent=False, look_for_keys=False)
with c.open_sftp().open("a.bin") as f:
    content = f.read()
    for name in "md5", "sha1", "sha256", "sha512":
        assert f.check(name) == hashlib.new(name, content).digest(), name
        print(name)
    try:
        f.check("crc32")
    except IOError as e:
        print(e)
c.close()`)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "PORT="+port, "ACCOUNT="+user, "ID="+s.identity)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "md5\nsha1\nsha256\nsha512\nthat digest is not known") {
		t.Errorf("%v\n%s", err, out)
	}
}
