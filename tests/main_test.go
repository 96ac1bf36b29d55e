package tests

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// torture asks for the long form of the tests that have one.
var torture = flag.Bool("torture", false, "run the long tests in full")

// orInFull is how much of something a test does: as usual, or in full with -torture.
func orInFull[T any](usual, full T) T {
	if *torture {
		return full
	}
	return usual
}

// TestMain builds the programs and puts them first in PATH, for the tests and
// for the scripts. It also gives them a home folder of their own.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	bin, err := os.MkdirTemp("", "shelf-tests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	if err := errors.Join(build(bin), moveHome(filepath.Join(bin, "home"))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	os.Setenv("GORACE", "atexit_sleep_ms=0") // a server that ends without a race need not wait for one
	return m.Run()
}

// build builds both programs into the folder bin, with the race detector when
// the tests have it: a race then makes shelfd exit with a status of its own.
func build(bin string) error {
	args := []string{"build", "-buildvcs=false", "-o", bin + string(filepath.Separator)}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "../cmd/shelfd", "../cmd/shelf")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// moveHome sets HOME to a new folder, so that no program under test reads or
// writes the files of whoever runs the tests. The go command keeps its caches.
func moveHome(home string) error {
	for _, name := range []string{"GOPATH", "GOMODCACHE", "GOCACHE"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return fmt.Errorf("go env %s: %w", name, err)
		}
		os.Setenv(name, strings.TrimSpace(string(out)))
	}
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "SSH_AUTH_SOCK"} {
		os.Unsetenv(name)
	}
	os.Setenv("HOME", home)
	return os.Mkdir(home, 0o700)
}
