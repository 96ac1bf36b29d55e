package vfstest

import (
	"context"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"shelf/vfs"
)

// BadNames are names that no file can have.
func BadNames() []string {
	return []string{
		"", ".", "..", ".hidden", "a/b", "/a", "a/", "a\x00", "a\nb", "\x1b[2J", "a\x7f", "a\u0085b",
		"bad\xffutf8", strings.Repeat("n", 256), ".shelf",
	}
}

func testNames(t *testing.T, s suite) {
	for _, name := range BadNames() {
		s.hasNot(name)
		_, err := s.Create(t.Context(), name, vfs.CreateOptions{Create: true})
		s.is(err, vfs.ErrName)
		s.is(s.Remove(t.Context(), name), fs.ErrNotExist)
		_, err = s.SetAttr(t.Context(), name, vfs.Attr{HasMode: true})
		s.is(err, fs.ErrNotExist)
		s.put("good", "x")
		s.is(failure(s.Rename(t.Context(), "good", name, true)), vfs.ErrName)
		s.is(failure(s.Rename(t.Context(), name, "other", true)), fs.ErrNotExist)
	}
	for _, name := range []string{"a", "-rf", "with space", `quote"'`, "ünïcödé", "日本", strings.Repeat("n", 255), "a.", "~"} {
		s.put(name, name)
		s.has(name, name)
	}
}

func testList(t *testing.T, s suite) {
	if got := s.names(); len(got) != 0 {
		t.Fatalf("an empty library lists %q", got)
	}
	for _, name := range []string{"b", "a", "c"} {
		s.put(name, name)
	}
	pending := s.create("pending", vfs.CreateOptions{Create: true, Owner: "ada"})
	defer pending.Abort()
	if got := s.names(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Fatalf("listed %q", got)
	}
	for range s.List(t.Context()) {
		break // a listing may be left early
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range s.List(ctx) {
		s.is(err, context.Canceled)
	}
}

func testRename(t *testing.T, s suite) {
	s.put("a", "A")
	s.put("b", "B")
	s.is(failure(s.Rename(t.Context(), "a", "b", false)), fs.ErrExist)
	s.has("a", "A")
	s.has("b", "B")
	s.rename("a", "b", true)
	s.hasNot("a")
	s.has("b", "A")
	s.rename("b", "c", false)
	s.has("c", "A")
	s.is(failure(s.Rename(t.Context(), "gone", "d", true)), fs.ErrNotExist)
	s.hasNot("d")
}

func testRemove(t *testing.T, s suite) {
	s.put("a", "A")
	s.ok(s.Remove(t.Context(), "a"))
	s.hasNot("a")
	s.is(s.Remove(t.Context(), "a"), fs.ErrNotExist)
}

func testReplaceWhileReading(t *testing.T, s suite) {
	s.put("f", "old content")
	f, err := s.Open(t.Context(), "f")
	s.ok(err)
	defer f.Close()
	s.put("f", "new")
	s.rename("f", "g", false)
	s.ok(s.Remove(t.Context(), "g"))
	if got := readAll(t, f); got != "old content" {
		t.Fatalf("the reader got %q", got)
	}
	if i, err := f.Stat(); err != nil || i.Size != 11 {
		t.Fatalf("the reader's Stat: %v, %v", i, err)
	}
	if n, err := f.ReadAt(make([]byte, 1), 11); n != 0 || err != io.EOF {
		t.Fatalf("read at the end: %d, %v", n, err)
	}
}
