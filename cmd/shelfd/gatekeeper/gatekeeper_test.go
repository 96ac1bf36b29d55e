package gatekeeper

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelf/vfs/gate"
	"shelf/vfs/vfstest"
)

// keep is a keeper that runs a shell script.
func keep(t *testing.T, script string, timeout time.Duration) *keeper {
	t.Helper()
	sh, err := lookUp("sh")
	if err != nil {
		t.Fatal(err)
	}
	return &keeper{program: sh, args: []string{"sh", "-c", script}, timeout: timeout, slots: make(chan struct{}, 2), log: slog.New(slog.DiscardHandler)}
}

func file(t *testing.T, text string) *os.File {
	t.Helper()
	return vfstest.OpenFile(t, filepath.Join(t.TempDir(), "file"), text)
}

func TestCommands(t *testing.T) {
	for script, want := range map[string]string{
		"cat > /dev/null": "accepted",
		"true":            "accepted",
		"! grep -q evil || { echo evil; exit 1; }":       "refused: evil",
		"echo first; echo second; exit 1":                "refused: first",
		"printf 'no newline'; exit 1":                    "refused: no newline",
		"exit 1":                                         "refused: ",
		"echo to stderr >&2; exit 1":                     "refused: ",
		`printf '\033[2Jx\n'; exit 1`:                    `refused: \x1b[2Jx`,
		"yes | head -c 1000000; exit 1":                  "refused: y",
		"head -c 1000000 /dev/zero | tr '\\0' y; exit 1": "refused: " + strings.Repeat("y", maxLine),
		"exit 2":     "no verdict: sh: exit status 2",
		"kill -9 $$": "no verdict: sh: signal: killed",
		`test "$SHELF_NAME/$SHELF_SIZE/$SHELF_LIBRARY/$SHELF_ACCOUNT" = "a b/4/in/ada"`: "accepted",
		"(sleep 3 > /dev/null 2>&1 < /dev/null &) ; exit 1":                             "refused: ", // and what stays behind is left alone
	} {
		about := gate.File{Name: "a b", Size: 4, Library: "in", Account: "ada"}
		v, err := keep(t, script, time.Minute).judge(t.Context(), about, file(t, "evil"))
		got := "accepted"
		switch {
		case err != nil:
			got = "no verdict: " + err.Error()
		case v.Refused:
			got = "refused: " + v.Reason
		}
		if got != want {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
	}
}

// TestCommandEndsInTime kills a command that takes too long, with what it has started:
// that would hold the pipe of its output, which the test waits for.
func TestCommandEndsInTime(t *testing.T) {
	reads, writes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = writes // of the command
	v, err := keep(t, "sleep 1000 & sleep 1000", 50*time.Millisecond).judge(t.Context(), gate.File{}, file(t, "x"))
	os.Stderr = stderr
	if err == nil || !strings.Contains(err.Error(), "has not ended within 50ms") {
		t.Errorf("%+v, %v", v, err)
	}
	writes.Close()
	reads.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadAll(reads); err != nil {
		t.Errorf("something still runs: %v", err)
	}
}

// TestCommandEndsWithWhoAsks kills a command whose verdict nobody waits for.
func TestCommandEndsWithWhoAsks(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	k := keep(t, "exec sleep 1000", time.Hour)
	time.AfterFunc(50*time.Millisecond, cancel)
	if v, err := k.judge(ctx, gate.File{}, file(t, "x")); err == nil {
		t.Errorf("%+v", v)
	}
	// One that waits for its turn ends, too.
	k.slots <- struct{}{}
	k.slots <- struct{}{}
	if v, err := k.judge(ctx, gate.File{}, file(t, "x")); err == nil {
		t.Errorf("%+v", v)
	}
}

// TestListen takes the place of a keeper that has crashed, and of nobody else.
func TestListen(t *testing.T) {
	dir, err := os.MkdirTemp("", "gate")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := listen(path, 0o620)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(path, 0o600); err == nil || !strings.Contains(err.Error(), "another program answers") {
		t.Errorf("a second one: %v", err)
	}
	l.UnixListener.Close() // as a crash leaves it
	again, err := listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(path, 0o600); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("over a file: %v", err)
	}
}
