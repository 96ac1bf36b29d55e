package supervise

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A supervisor whose server has ended by itself has none for a moment: then nothing would
// ever end, and tell it that all is over.
func TestSignalWithoutServer(t *testing.T) {
	v := &supervisor{}
	if v.signal(syscall.SIGHUP) || v.over {
		t.Error("SIGHUP ends the supervisor")
	}
	if !v.signal(syscall.SIGTERM) || !v.over {
		t.Error("SIGTERM where no server runs does not end the supervisor")
	}
}

// What keeps a unit from being stopped is told: two would serve.
func TestStopOfUnitThatFails(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\ncase $1 in start) exit 0 ;; show) echo 4711 ;; *) echo no such bus >&2; exit 1 ;; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	old := unit{name: "shelfd@blue.service"}
	if err := old.end(); err == nil || !strings.Contains(err.Error(), "no such bus") {
		t.Errorf("the end of a unit: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it is not found healthy
	_, err := replace(ctx, filepath.Join(bin, "admin.sock"), func(context.Context) (running, error) { return old, nil })
	if err == nil || !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "not healthy") || !strings.Contains(err.Error(), "no such bus") {
		t.Errorf("a new unit that is not healthy, and can't be stopped: %v", err)
	}
}
