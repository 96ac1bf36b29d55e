package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// inShell starts shelf in a shell, which says at the end how the terminal is.
func inShell(t *testing.T, s *server) *typist {
	t.Helper()
	inner := shelfCommand(s)
	cmd := exec.Command("sh", append([]string{"-c", `sh -c 'echo "pid $$"; exec "$@"' sh "$@"; stty -a`, "sh"}, inner.Args...)...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Join(t.TempDir(), "state"), "TERM=xterm")
	p := sit(t, cmd)
	p.prompt()
	return p
}

// TestShelfTerminated ends shelf at its prompt: the terminal is as it was.
func TestShelfTerminated(t *testing.T) {
	p := inShell(t, serve(t))
	pid, err := strconv.Atoi(regexp.MustCompile(`pid (\d+)`).FindStringSubmatch(p.screen.String())[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.sees(` icanon`)
	p.sees(` echo `)
	p.ends()
}

// TestShelfLeavesLine ends shelf with Ctrl-D: what follows is on a line of its own.
func TestShelfLeavesLine(t *testing.T) {
	p := inShell(t, serve(t))
	p.types(ctrlD)
	p.sees(`\r\nspeed`)
	p.ends()
	if shown := p.screen.String(); strings.Count(shown, "shelf> ") != 1 {
		t.Error("the prompt was drawn again")
	}
}

// TestShelfWithoutColumns types at a terminal that tells no size.
func TestShelfWithoutColumns(t *testing.T) {
	s := serve(t)
	p := visitor(t, s, t.TempDir())
	if err := pty.Setsize(p.keys, &pty.Winsize{Rows: 24}); err != nil {
		t.Fatal(err)
	}
	p.says("", `\n`)
	p.types("space")
	p.sees(`space`)
	p.says("", `free of`)
	s.put(t, "file", content(1, 100_000))
	p.says("get --limit 200K file", `got file`)
	p.never("\x1b[J") // no bar of no length
	p.types(ctrlD)
	p.ends()
}
