package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A history that others could read is made private, whoever made it so.
func TestHistoryIsPrivate(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	to := target{addr: "host:22", user: "ada"}
	openHistory(to).Add("list")
	files, _ := filepath.Glob(filepath.Join(dir, "shelf", "history-*"))
	if len(files) != 1 {
		t.Fatalf("files: %v", files)
	}
	if err := os.Chmod(files[0], 0o644); err != nil {
		t.Fatal(err)
	}
	openHistory(to)
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
