package vfs_test

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"shelf/vfs"
)

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"a", "", ".", "..", "a/b", "\x00", "é", "\u0085", "\xff", strings.Repeat("x", 256)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if vfs.CheckName(name) != nil {
			return
		}
		if name == "" || len(name) > 255 || name[0] == '.' || !utf8.ValidString(name) || filepath.Base(name) != name {
			t.Fatalf("%q passes", name)
		}
		for _, r := range name {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || r == '/' {
				t.Fatalf("%q passes with %U", name, r)
			}
		}
	})
}
