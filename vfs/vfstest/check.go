package vfstest

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"shelf/vfs"
)

// testCheck has content judged: all that is published, whole, and nothing else.
func testCheck(t *testing.T, s suite) {
	s.put("old", "the old content")
	refusal := &vfs.Error{Kind: os.ErrPermission, Why: "no"}
	var asked []string // name and content
	seen := func(verdict error) vfs.Check {
		asked = nil
		return func(_ context.Context, staged vfs.Staged) error {
			asked = append(asked, staged.Name+": "+judgedContent(t, staged))
			return verdict
		}
	}
	was := func(want ...string) {
		t.Helper()
		if strings.Join(asked, "|") != strings.Join(want, "|") {
			t.Fatalf("judged were %q, want %q", asked, want)
		}
	}

	// A refused upload publishes nothing, and leaves what was there.
	for _, name := range []string{"old", "new"} {
		u := s.create(name, vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada", Check: seen(refusal)})
		s.write(u, 0, "evil")
		was()
		if err := failure(u.Commit(t.Context())); err != error(refusal) {
			t.Fatalf("Commit says %v, want the refusal", err)
		}
		was(name + ": evil")
		if err := failure(u.WriteAt([]byte("x"), 0)); err == nil {
			t.Fatal("after a refusal the upload goes on")
		}
	}
	s.has("old", "the old content")
	s.hasNot("new")
	s.is(failure(s.Create(t.Context(), "new", vfs.CreateOptions{Owner: "ada"})), os.ErrNotExist)

	// What is judged is what would be published: over the base, with holes filled, and
	// under the last name.
	u := s.create("old", vfs.CreateOptions{Check: seen(nil)})
	s.write(u, 4, "NEW")
	s.write(u, 17, "end")
	s.ok(u.Rename("other", true))
	s.commit(u)
	was("other: the NEW content\x00\x00end")
	s.has("other", "the NEW content\x00\x00end")

	// An upload that publishes no content is not judged, whatever it started from.
	u = s.create("old", vfs.CreateOptions{Check: seen(refusal)})
	s.ok(u.SetAttr(vfs.Attr{HasMode: true, Mode: 0o600}))
	s.commit(u)
	was()

	// A new size is new content.
	s.is(failure(s.SetAttr(t.Context(), "old", vfs.Attr{HasSize: true, Size: 3, Check: seen(refusal)})), refusal)
	was("old: the")
	s.has("old", "the old content")
	s.ok(failure(s.SetAttr(t.Context(), "old", vfs.Attr{HasSize: true, Size: 3, Check: seen(nil)})))
	s.has("old", "the")

	testCheckEarly(t, s, seen, was)
	testCheckCancelled(t, s)
}

// testCheckEarly asks before Commit does, which may go on after that.
func testCheckEarly(t *testing.T, s suite, seen func(error) vfs.Check, was func(...string)) {
	u := s.create("early", vfs.CreateOptions{Create: true, Check: seen(nil)})
	c, ok := vfs.As[vfs.Checker](u)
	if !ok {
		t.Fatal("an upload of this library can't be checked before Commit")
	}
	s.write(u, 2, "x")
	s.ok(c.Check(t.Context()))
	was("early: \x00\x00x")
	s.write(u, 0, "ab")
	s.commit(u)
	was("early: \x00\x00x", "early: abx")
	s.has("early", "abx")
}

// testCheckCancelled has a Check wait for its context.
func testCheckCancelled(t *testing.T, s suite) {
	ctx, cancel := context.WithCancel(t.Context())
	u := s.create("cancelled", vfs.CreateOptions{Create: true, Check: func(ctx context.Context, _ vfs.Staged) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}})
	s.write(u, 0, "x")
	s.is(failure(u.Commit(ctx)), context.Canceled)
	s.hasNot("cancelled")
}

// judgedContent reads what is judged, in each way that there is: all tell the same.
func judgedContent(t *testing.T, staged vfs.Staged) string {
	t.Helper()
	text := readAll(t, staged.Content)
	if int64(len(text)) != staged.Size {
		t.Fatalf("%d bytes are judged, and Size is %d", len(text), staged.Size)
	}
	if staged.Open == nil {
		return text
	}
	for range 2 { // each is at its beginning
		f, err := staged.Open()
		if err != nil {
			t.Fatal(err)
		}
		again, err := io.ReadAll(f)
		if err != nil || string(again) != text {
			t.Fatalf("the file that is judged has %q, want %q (%v)", again, text, err)
		}
		if _, err := f.WriteAt([]byte("x"), 0); err == nil {
			t.Fatal("who judges a file can change it")
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return text
}
