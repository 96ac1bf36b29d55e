package tests

import (
	"os"
	"os/exec"
	"testing"
)

// need skips a test whose program is not installed. In CI, where all of them
// are to be, it fails the test: a green run means that every client ran.
func need(t testing.TB, program string) {
	t.Helper()
	switch {
	case installed(program):
	case mustHaveAll():
		t.Fatalf("%s is not installed, and in CI it must be: add its package to .ci/run", program)
	default:
		t.Skipf("%s is not installed", program)
	}
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func mustHaveAll() bool {
	return os.Getenv("CI") != "" || os.Getenv("SHELF_CI") != ""
}
