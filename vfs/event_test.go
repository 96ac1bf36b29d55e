package vfs_test

import (
	"strings"
	"testing"

	"shelf/vfs"
)

// A text of a client is cut between two runes, and its length told.
func TestClip(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "anna": "anna", "exactly8": "exactly8", "nine long": "nine lon... (9 bytes)",
		"sevenseé!": "sevense... (10 bytes)", strings.Repeat("\x80", 9): "... (9 bytes)",
	} {
		if got := vfs.ClipTo(text, 8); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
