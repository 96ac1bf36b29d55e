package tests

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestManyKeys: ssh asks for each key of an agent whether it would do, before it
// proves to have one. Those questions are no tries, and nobody is penalised
// for them.
func TestManyKeys(t *testing.T) {
	need(t, "ssh")
	s := serveWith(t, strangers+"max_auth_tries = 6\n")
	args := []string{"-F", s.config}
	for i := range 9 {
		key := filepath.Join(t.TempDir(), fmt.Sprint("other", i))
		must(t, makeKey(key))
		args = append(args, "-i", key)
	}
	for i := range 10 {
		out, err := exec.Command("ssh", append(args, "-s", "shelf", "none")...).CombinedOutput()
		if !strings.Contains(string(out), "subsystem") { // the refusal of one that is logged in
			t.Fatalf("time %d: %v\n%s", i, err, out)
		}
	}
	if n := strings.Count(s.stderr.String(), "msg=login "); n != 10 {
		t.Errorf("%d logins of 10:\n%s", n, s.stderr)
	}
}

// TestParamikoTriesAgain: paramiko asks for the service once more with each try to
// log in, which x/crypto takes for an error, so that its second key or its
// password never gets a hearing. Either it is let in, or the operator can read
// in the log what it was.
func TestParamikoTriesAgain(t *testing.T) {
	s := serve(t)
	other := filepath.Join(t.TempDir(), "other")
	must(t, makeKey(other))
	out, err := s.snippet(t, paramiko, nil, `
import os
c = paramiko.SSHClient()
c.load_host_keys(os.environ["KNOWN_HOSTS"])
c.connect(os.environ["HOST"], int(os.environ["PORT"]), os.environ["ACCOUNT"],
    key_filename=["`+other+`", os.environ["ID"]], allow_agent=False, look_for_keys=False)
print(c.open_sftp().normalize("."))`)
	if err == nil && out == "/\n" {
		return
	}
	if !strings.Contains(strings.ToLower(s.stderr.String()), "service request") {
		t.Errorf("%v %s; the log does not say what it was:\n%s", err, out, s.stderr)
	}
}
