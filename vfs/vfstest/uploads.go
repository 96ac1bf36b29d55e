package vfstest

import (
	"io/fs"
	"testing"

	"shelf/vfs"
)

// testFlags is the table of the design: what an OPEN for writing starts from.
func testFlags(t *testing.T, s suite) {
	type o = vfs.CreateOptions
	for _, row := range []struct {
		name   string
		o      o
		absent error  // of Create where nothing is there; nil if it works
		there  error  // of Create where a file is there
		want   string // published after writing "XY" at 1 over "abcdef"
	}{
		{"create truncate", o{Create: true, Truncate: true}, nil, nil, "\x00XY"},
		{"create", o{Create: true}, nil, nil, "aXYdef"},
		{"create exclusive", o{Create: true, Exclusive: true}, nil, fs.ErrExist, ""},
		{"create exclusive truncate", o{Create: true, Exclusive: true, Truncate: true}, nil, fs.ErrExist, ""},
		{"create no replace", o{Create: true, NoReplace: true}, nil, fs.ErrExist, ""},
		{"none", o{}, fs.ErrNotExist, nil, "aXYdef"},
		{"truncate", o{Truncate: true}, fs.ErrNotExist, nil, "\x00XY"},
	} {
		row.o.Owner = "ada"
		u, err := s.Create(t.Context(), "absent "+row.name, row.o)
		s.is(err, row.absent)
		if err == nil {
			s.hasNot("absent " + row.name)
			s.write(u, 1, "XY")
			s.hasNot("absent " + row.name)
			s.commit(u)
			s.has("absent "+row.name, "\x00XY")
		}
		s.put("there "+row.name, "abcdef")
		u, err = s.Create(t.Context(), "there "+row.name, row.o)
		s.is(err, row.there)
		if err == nil {
			s.write(u, 1, "XY")
			s.has("there "+row.name, "abcdef")
			s.commit(u)
			s.has("there "+row.name, row.want)
		} else {
			s.has("there "+row.name, "abcdef")
		}
	}
}

// testOverlay: an upload reads as what a Commit would publish.
func testOverlay(t *testing.T, s suite) {
	s.put("f", "0123456789")
	u := s.create("f", vfs.CreateOptions{})
	if got := readAll(t, u); got != "0123456789" {
		t.Fatalf("before a write: %q", got)
	}
	s.write(u, 2, "XX")
	s.write(u, 8, "YYYY")
	s.write(u, 14, "Z")
	const want = "01XX4567YYYY\x00\x00Z"
	if got := readAll(t, u); got != want {
		t.Fatalf("read %q", got)
	}
	if i, err := u.Stat(); err != nil || i.Size != int64(len(want)) || i.Name != "f" {
		t.Fatalf("Stat: %v, %v", i, err)
	}
	s.ok(u.Sync())
	s.commit(u)
	s.has("f", want)
}

func testTruncate(t *testing.T, s suite) {
	s.put("f", "0123456789")
	u := s.create("f", vfs.CreateOptions{})
	resize := func(n int64) { t.Helper(); s.ok(u.SetAttr(vfs.Attr{HasSize: true, Size: n})) }
	reads := func(want string) {
		t.Helper()
		if got := readAll(t, u); got != want {
			t.Fatalf("it reads %q, want %q", got, want)
		}
	}
	s.write(u, 6, "abcdefgh")
	resize(8)
	reads("012345ab")
	resize(12) // what was cut off must not come back
	reads("012345ab\x00\x00\x00\x00")
	resize(4)
	resize(6)
	reads("0123\x00\x00")
	s.write(u, 9, "Q")
	s.commit(u)
	s.has("f", "0123\x00\x00\x00\x00\x00Q")
	s.set("f", vfs.Attr{HasSize: true, Size: 2})
	s.has("f", "01")
	s.set("f", vfs.Attr{HasSize: true, Size: 3})
	s.has("f", "01\x00")
}

func testAbort(t *testing.T, s suite) {
	s.put("f", "old")
	for _, name := range []string{"f", "new"} {
		u := s.create(name, vfs.CreateOptions{Create: true, Truncate: true})
		s.write(u, 0, "lost")
		s.ok(u.Abort())
		s.ok(u.Abort())
		if _, err := u.WriteAt([]byte("x"), 0); err == nil {
			t.Fatal("an aborted upload takes a write")
		}
		if _, err := u.Commit(t.Context()); err == nil {
			t.Fatal("an aborted upload commits")
		}
	}
	s.has("f", "old")
	s.hasNot("new")
}

func testExclusive(t *testing.T, s suite) {
	for _, o := range []vfs.CreateOptions{{Create: true, Exclusive: true}, {Create: true, NoReplace: true}} {
		name := map[bool]string{true: "excl", false: "noreplace"}[o.Exclusive]
		first, second := s.create(name, o), s.create(name, o)
		s.write(first, 0, "first")
		s.write(second, 0, "second")
		s.commit(first)
		s.is(failure(second.Commit(t.Context())), fs.ErrExist)
		s.has(name, "first")
	}
}

func testLastCommitWins(t *testing.T, s suite) {
	o := vfs.CreateOptions{Create: true, Truncate: true}
	a, b := s.create("f", o), s.create("f", o)
	s.write(a, 0, "aaaaaa")
	s.write(b, 0, "bbb")
	s.commit(b)
	s.has("f", "bbb")
	s.commit(a)
	s.has("f", "aaaaaa")
}

// testDraft opens uploads before they are published, to read and to go on from.
func testDraft(t *testing.T, s suite) {
	s.put("f", "0123456789")
	create := vfs.CreateOptions{Create: true}
	for _, name := range []string{"new", "f"} {
		first := s.create(name, create)
		s.write(first, 3, "abc")
		s.ok(first.SetAttr(vfs.Attr{HasMode: true, Mode: 0o640}))
		want := "\x00\x00\x00abc"
		if name == "f" {
			want = "012abc6789"
		}
		draft, err := first.Open()
		s.ok(err)
		if got := readAll(t, draft); got != want {
			t.Errorf("the draft of %s is %q, want %q", name, got, want)
		}
		if i, err := draft.Stat(); err != nil || i.Size != int64(len(want)) || i.Mode != 0o640 {
			t.Errorf("the draft of %s: %v, %v", name, i, err)
		}
		second := s.create(name, vfs.CreateOptions{Base: draft})
		s.write(second, 0, "XY")
		s.commit(first)
		s.has(name, want)
		if got := readAll(t, second); got != "XY"+want[2:] {
			t.Errorf("over the draft of %s is %q", name, got)
		}
		s.commit(second)
		s.has(name, "XY"+want[2:])
	}

	// One that nothing was written to shows its base. An ended one has none.
	u := s.create("f", create)
	draft, err := u.Open()
	s.ok(err)
	s.ok(u.Abort())
	if got := readAll(t, draft); got != "XY2abc6789" {
		t.Errorf("the draft of an untouched upload is %q", got)
	}
	s.ok(draft.Close())
	if _, err := u.Open(); err == nil {
		t.Error("an ended upload was opened")
	}
}

// testRenameUpload renames uploads before they are published.
func testRenameUpload(t *testing.T, s suite) {
	s.put("old", "old")
	u := s.create("tmp", vfs.CreateOptions{Create: true, Exclusive: true})
	s.write(u, 0, "new")
	s.is(u.Rename("old", false), fs.ErrExist)
	s.is(u.Rename(".x", true), vfs.ErrName)
	s.ok(u.Rename("old", true))
	s.has("old", "old")
	s.commit(u)
	s.has("old", "new")
	s.hasNot("tmp")

	// Without replace it does not replace what came later, either.
	u = s.create("tmp", vfs.CreateOptions{Create: true})
	s.write(u, 0, "late")
	s.ok(u.Rename("next", false))
	s.put("next", "first")
	s.is(failure(u.Commit(t.Context())), fs.ErrExist)
	s.has("next", "first")
	s.hasNot("tmp")
}

// testLimits: a refused write spoils the upload, so that no hole is published.
func testLimits(t *testing.T, s suite) {
	s.put("f", "old")
	for _, off := range []int64{5, 1 << 62, -1, -1 << 63, 1<<63 - 1} {
		u := s.create("f", vfs.CreateOptions{Create: true, Truncate: true, MaxSize: 8})
		s.write(u, 0, "12345678")
		if n, err := u.WriteAt([]byte("abcd"), off); n != 0 || err == nil {
			t.Fatalf("a write at %d: %d, %v", off, n, err)
		}
		if _, err := u.Commit(t.Context()); err == nil {
			t.Fatalf("committed after a refused write at %d", off)
		}
		s.has("f", "old")
	}
	u := s.create("f", vfs.CreateOptions{Create: true})
	if u.SetAttr(vfs.Attr{HasSize: true, Size: -1}) == nil {
		t.Fatal("a negative size was accepted")
	}
	s.ok(u.Abort())
}
