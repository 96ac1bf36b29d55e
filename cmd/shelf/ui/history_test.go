package ui

import (
	"os"
	"path/filepath"
	"testing"
)

// A history that others could read is made private, whoever made it so.
func TestHistoryIsPrivate(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	const server = "ada@host:22"
	OpenHistory(server).Add("list")
	files, _ := filepath.Glob(filepath.Join(dir, "shelf", "history-*"))
	if len(files) != 1 {
		t.Fatalf("files: %v", files)
	}
	if err := os.Chmod(files[0], 0o644); err != nil {
		t.Fatal(err)
	}
	OpenHistory(server)
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
