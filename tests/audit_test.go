package tests

import (
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestAlgorithms has ssh-audit judge what is offered: no failure, and no warning
// but for names that are younger than the program.
func TestAlgorithms(t *testing.T) {
	need(t, "ssh-audit")
	s := serve(t)
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command("ssh-audit", "-n", "-p", port, "127.0.0.1").CombinedOutput()
	if !strings.Contains(string(out), "SSH-2.0-Shelf") {
		t.Fatalf("ssh-audit shows:\n%s", out)
	}
	for line := range strings.Lines(string(out)) {
		if regexp.MustCompile(`\[(fail|warn)\]`).MatchString(line) && !strings.Contains(line, "unknown algorithm") {
			t.Error(line)
		}
	}
}
