package audit

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"shelf/sshd"
)

// A file that cannot be synced when a new one is begun may lose its lines. Who waits for
// one of them does not hear that it is safe since the new file could be synced.
func TestSyncOfTheFileBeforeFails(t *testing.T) {
	l, err := Open(Options{Path: filepath.Join(t.TempDir(), "audit"), Log: slog.New(slog.DiscardHandler), Rules: Rules{Refuse: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, in, err := os.Pipe() // fsync refuses it
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	l.file.Close()
	l.file = file{File: in}
	seq, err := l.write(Line{Op: OpPut, Result: "ok"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	if l.sync(seq) == nil {
		t.Error("a line is said to be safe that is in a file that could not be synced")
	}
	if err := l.Health(); err != nil {
		t.Errorf("the new file can be synced: %v", err)
	}
	if l.sync(seq) == nil {
		t.Error("a line is said to be safe that is in a file that could not be synced, after the log is well again")
	}
	if err := l.Report(sshd.Event{Op: OpPut, Durable: true}); err != nil {
		t.Errorf("a line of the new file: %v", err)
	}
}
