package vfs_test

import (
	"strings"
	"testing"

	"shelf/vfs"
)

func TestClip(t *testing.T) {
	if got := vfs.Clip("name"); got != "name" {
		t.Error(got)
	}
	long := strings.Repeat("é", 1<<16)
	if got := vfs.Clip(long); len(got) > 300 || !strings.HasSuffix(got, "... (131072 bytes)") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
