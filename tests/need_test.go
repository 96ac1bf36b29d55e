package tests

import (
	"os"
	"os/exec"
	"testing"
)

// need skips a test whose program is not installed. In CI it fails the test.
func need(t testing.TB, program string) {
	t.Helper()
	if !installed(program) {
		cannotRun(t, "%s is not installed; .ci/run lists the packages", program)
	}
}

// cannotRun skips a test that can't run on this machine. In CI it fails the test:
// if CI is green, every test has run.
func cannotRun(t testing.TB, format string, args ...any) {
	t.Helper()
	if mustHaveAll() {
		t.Fatalf("in CI this test must run: "+format, args...)
	}
	t.Skipf(format, args...)
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func mustHaveAll() bool {
	return os.Getenv("CI") != "" || os.Getenv("SHELF_CI") != ""
}

// oneServer skips a test that counts on being asked or told by one server, if each has
// another one beside it. why completes "it is about".
func oneServer(t testing.TB, why string) {
	t.Helper()
	if *beside {
		t.Skip("not with -beside: it is about " + why)
	}
}
