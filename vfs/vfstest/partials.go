package vfstest

import (
	"io/fs"
	"strings"
	"testing"

	"shelf/vfs"
)

// partialSize is a beginning that any store keeps, in bytes.
const partialSize = 1 << 20

// keep begins an upload of ada's and has its session cut.
func (s suite) keep(name, text string) {
	s.t.Helper()
	u := s.create(name, vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
	s.write(u, 0, text)
	k, ok := vfs.As[vfs.Keeper](u)
	if !ok {
		s.t.Fatal("the library has partials, and its upload cannot be kept")
	}
	s.ok(k.Keep())
	if _, err := u.WriteAt([]byte("x"), 0); err == nil {
		s.t.Fatal("a kept upload takes a write")
	}
}

// partials is the Library's ability; without it the test is skipped.
func (s suite) partials() vfs.Resume {
	s.t.Helper()
	lib, ok := vfs.As[vfs.Resume](s.Library)
	if !ok {
		s.t.Skip("this store keeps no partials")
	}
	return lib
}

func (s suite) hasPartial(owner, name string, size int) {
	s.t.Helper()
	i, err := s.partials().Partial(s.t.Context(), owner, name)
	if size == 0 {
		s.is(err, fs.ErrNotExist)
		return
	}
	s.ok(err)
	if i.Size != int64(size) || i.Name != name {
		s.t.Fatalf("the partial is %+v, want %d bytes", i, size)
	}
}

// testPartials: the beginning of an upload is what the next one of its owner
// goes on with, while nothing is published.
func testPartials(t *testing.T, s suite) {
	text := strings.Repeat("0123456789abcdef", partialSize/16)
	s.hasPartial("ada", "f", 0)
	s.keep("f", text)
	s.hasPartial("ada", "f", len(text))
	s.hasNot("f")

	u := s.create("f", vfs.CreateOptions{Owner: "ada"})
	if i, err := u.Stat(); err != nil || i.Size != int64(len(text)) {
		t.Fatalf("resumed at %+v, %v", i, err)
	}
	s.write(u, int64(len(text)), "the end")
	s.commit(u)
	s.has("f", text+"the end")
	s.hasPartial("ada", "f", 0)

	// Who begins anew drops it, and what was never written to is not kept.
	s.keep("g", text)
	s.ok(s.create("g", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"}).Abort())
	s.hasPartial("ada", "g", 0)
	u = s.create("h", vfs.CreateOptions{Create: true, Owner: "ada"})
	s.write(u, partialSize, "after a hole")
	k, _ := vfs.As[vfs.Keeper](u)
	s.ok(k.Keep())
	s.hasPartial("ada", "h", 0)
	_, err := s.Create(t.Context(), "h", vfs.CreateOptions{Owner: "ada"})
	s.is(err, fs.ErrNotExist)
}

func testPartialsArePrivate(t *testing.T, s suite) {
	s.partials()
	s.keep("f", strings.Repeat("x", partialSize))
	s.hasPartial("bob", "f", 0)
	s.hasPartial("", "f", 0)
	s.hasPartial("ada", "g", 0)
	if got := s.names(); len(got) != 0 {
		t.Errorf("it is listed: %q", got)
	}
	_, err := s.Create(t.Context(), "f", vfs.CreateOptions{Owner: "bob"})
	s.is(err, fs.ErrNotExist)
	u := s.create("f", vfs.CreateOptions{Create: true, Owner: "bob"})
	if got := readAll(t, u); got != "" {
		t.Errorf("another has %d bytes of it", len(got))
	}
	s.ok(u.Abort())
	s.hasPartial("ada", "f", partialSize)
	s.ok(s.create("f", vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"}).Abort())
}
