package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shelf/cmd/shelfd/config"
	"shelf/sshd"
)

const filled = "SHELFD_TEST_FILLED"

// A disk that is full is played by a limit on the size of files, in a process of
// its own, since the limit is for good.
func TestAuditLogOnAFullDisk(t *testing.T) {
	if dir := os.Getenv(filled); dir != "" {
		fill(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestAuditLogOnAFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), filled+"="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func fill(t *testing.T, dir string) {
	var log bytes.Buffer
	s := config.Settings{AuditLog: filepath.Join(dir, "audit"), AuditOnFailure: config.AuditOnFailure{Word: config.AuditRefuse}}
	a := audit{log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := a.open(s); err != nil {
		t.Fatal(err)
	}
	defer a.close()
	report := a.report(s)
	event := sshd.Event{Op: "put", Name: "file"}
	if err := report(event); err != nil {
		t.Fatal(err)
	}
	limit := func(size uint64) {
		t.Helper()
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: 1 << 40}); err != nil {
			t.Fatal(err)
		}
	}
	const lines = 5
	info, err := os.Stat(s.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	limit(uint64(info.Size()) + 10) // a part of the next line fits
	for range lines {
		if report(event) == nil {
			t.Error("what is not recorded is acknowledged")
		}
	}
	if a.ready(s)() == nil {
		t.Error("a log that cannot be written is ready")
	}
	if n := strings.Count(log.String(), "events are not recorded"); n != 1 {
		t.Errorf("the log is told %d times:\n%s", n, log.String())
	}
	limit(1 << 30)
	if err := a.ready(s)(); err != nil {
		t.Error(err)
	}
	if err := report(event); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(s.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for line := range strings.Lines(string(text)) {
		var of struct {
			Msg   string
			Lines int
		}
		if err := json.Unmarshal([]byte(line), &of); err != nil {
			t.Errorf("%v: %q", err, line)
		}
		if told = append(told, of.Msg); of.Msg == "lost" && of.Lines != lines {
			t.Errorf("%d lines are lost, and it says %d", lines, of.Lines)
		}
	}
	if got := strings.Join(told, " "); got != "put lost put" {
		t.Errorf("the lines are %s", got)
	}
	s.AuditOnFailure.Word = config.AuditContinue
	limit(1)
	if err := a.report(s)(event); err != nil || a.ready(s) != nil {
		t.Errorf("with continue something is refused: %v", err)
	}
}
