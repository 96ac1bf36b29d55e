// Package vfstest holds what a store needs to show that it is a vfs.Library:
// the conformance suite, and two libraries for tests of what stands on one.
//
//	vfstest.go  Test, the suite; it runs on every store, and with decorators around
//	history.go  versions: its part of the suite, and of Memory
//	quota.go    TestQuota, for stores with limits
//	check.go    the part of it that is about what judges content
//	memory.go   Memory, a library that is simple enough to be believed
//	faulty.go   Faulty, a decorator that fails when it is told to
package vfstest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shelf/vfs"
)

// Test runs the suite on a Library, and again with a decorator around it: what
// it can do beyond the contract must be found through that. open makes an empty
// Library for each part.
func Test(t *testing.T, open func(t *testing.T) vfs.Library) {
	t.Run("plain", func(t *testing.T) { test(t, open) })
	t.Run("decorated", func(t *testing.T) {
		test(t, func(t *testing.T) vfs.Library { return NewFaulty(NewFaulty(open(t))) })
	})
}

func test(t *testing.T, open func(t *testing.T) vfs.Library) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, suite)
	}{
		{"Open flags", testFlags},
		{"Names", testNames},
		{"List", testList},
		{"Replace while reading", testReplaceWhileReading},
		{"Overlay", testOverlay},
		{"Truncate", testTruncate},
		{"Abort", testAbort},
		{"Attributes", testAttributes},
		{"Exclusive", testExclusive},
		{"Last commit wins", testLastCommitWins},
		{"Drafts", testDraft},
		{"Rename", testRename},
		{"Rename an upload", testRenameUpload},
		{"Remove", testRemove},
		{"Digest", testDigest},
		{"Limits", testLimits},
		{"Versions", testVersions},
		{"Replaced", testReplaced},
		{"Partials", testPartials},
		{"Partials are private", testPartialsArePrivate},
		{"Check", testCheck},
		{"Space", testSpace},
		{"History", testHistory},
		{"Expiry", testExpiry},
		{"Cancelled", testCancelled},
		{"Races", testRaces},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, suite{t, open(t)}) })
	}
}

// suite is a Library under test.
type suite struct {
	t *testing.T
	vfs.Library
}

func (s suite) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s suite) is(err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Fatalf("error %v, want %v", err, want)
	}
}

func (s suite) create(name string, o vfs.CreateOptions) vfs.Upload {
	s.t.Helper()
	u, err := s.Create(s.t.Context(), name, o)
	s.ok(err)
	return u
}

func (s suite) write(u vfs.Upload, off int64, text string) {
	s.t.Helper()
	n, err := u.WriteAt([]byte(text), off)
	s.ok(err)
	if n != len(text) {
		s.t.Fatalf("wrote %d bytes of %d", n, len(text))
	}
}

// commit publishes an upload and returns what that says of it.
func (s suite) commit(u vfs.Upload) vfs.Change {
	s.t.Helper()
	c, err := u.Commit(s.t.Context())
	s.ok(err)
	return c
}

// set sets attributes of a file and checks what that says of it.
func (s suite) set(name string, a vfs.Attr) {
	s.t.Helper()
	before := s.look(name)
	c, err := s.SetAttr(s.t.Context(), name, a)
	s.ok(err)
	if now := s.look(name); c.Before != before || c.After != now {
		s.t.Fatalf("SetAttr says %+v; there was %+v, and is %+v", c, before, now)
	}
}

// rename renames a file and checks what that says of it.
func (s suite) rename(old, new string, replace bool) {
	s.t.Helper()
	before := s.look(old)
	c, err := s.Rename(s.t.Context(), old, new, replace)
	s.ok(err)
	if now := s.look(new); c.Before != before || c.After != now {
		s.t.Fatalf("Rename says %+v; there was %+v, and is %+v", c, before, now)
	}
}

func (s suite) look(name string) vfs.Info {
	s.t.Helper()
	i, err := s.Stat(s.t.Context(), name)
	s.ok(err)
	return i
}

func failure[T any](_ T, err error) error { return err }

// put publishes a file.
func (s suite) put(name, text string) {
	s.t.Helper()
	u := s.create(name, vfs.CreateOptions{Create: true, Truncate: true})
	s.write(u, 0, text)
	s.commit(u)
}

// has checks what is published.
func (s suite) has(name, want string) {
	s.t.Helper()
	f, err := s.Open(s.t.Context(), name)
	s.ok(err)
	defer f.Close()
	if got := readAll(s.t, f); got != want {
		s.t.Fatalf("%s holds %q, want %q", name, got, want)
	}
	i, err := s.Stat(s.t.Context(), name)
	s.ok(err)
	if i.Size != int64(len(want)) || i.Name != name || !i.Mode.IsRegular() {
		s.t.Fatalf("%s is %s, %d bytes, %v", name, i.Name, i.Size, i.Mode)
	}
}

func (s suite) hasNot(name string) {
	s.t.Helper()
	_, err := s.Stat(s.t.Context(), name)
	s.is(err, fs.ErrNotExist)
	_, err = s.Open(s.t.Context(), name)
	s.is(err, fs.ErrNotExist)
}

func (s suite) names() (names []string) {
	s.t.Helper()
	for i, err := range s.List(s.t.Context()) {
		s.ok(err)
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return names
}

func readAll(t *testing.T, r io.ReaderAt) string {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

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

func testAttributes(t *testing.T, s suite) {
	when := time.Unix(1234567890, 0)
	u := s.create("f", vfs.CreateOptions{Create: true, Mode: 0o4640})
	s.write(u, 0, "x")
	s.ok(u.SetAttr(vfs.Attr{HasTimes: true, Atime: when, Mtime: when}))
	s.commit(u)
	s.looks("f", 0o640, when)
	s.set("f", vfs.Attr{HasMode: true, Mode: 0o7111})
	s.looks("f", 0o711, when)

	// Who replaces a file keeps its mode; who only looks at it changes nothing.
	s.commit(s.create("f", vfs.CreateOptions{}))
	s.looks("f", 0o711, when)
	u = s.create("f", vfs.CreateOptions{Create: true, Truncate: true, Mode: 0o600})
	s.commit(u)
	i, err := s.Stat(t.Context(), "f")
	s.ok(err)
	if i.Mode != 0o711 || i.Size != 0 {
		t.Fatalf("replaced: %v, %d bytes", i.Mode, i.Size)
	}
	u = s.create("f", vfs.CreateOptions{})
	s.ok(u.SetAttr(vfs.Attr{HasMode: true, Mode: 0o644, HasTimes: true, Atime: when, Mtime: when}))
	s.commit(u)
	s.looks("f", 0o644, when)

	// What was set stands, also when it is written to afterwards.
	u = s.create("f", vfs.CreateOptions{Create: true, Truncate: true})
	s.ok(u.SetAttr(vfs.Attr{HasSize: true, Size: 2, HasMode: true, Mode: 0o600, HasTimes: true, Atime: when, Mtime: when}))
	s.write(u, 0, "ab")
	s.commit(u)
	s.looks("f", 0o600, when)
	s.has("f", "ab")
}

func (s suite) looks(name string, mode fs.FileMode, mtime time.Time) {
	s.t.Helper()
	i, err := s.Stat(s.t.Context(), name)
	s.ok(err)
	if i.Mode != mode || !i.ModTime.Equal(mtime) {
		s.t.Fatalf("%s: mode %v, mtime %v; want %v, %v", name, i.Mode, i.ModTime, mode, mtime)
	}
}

// A store that tells digests tells that of the version which is open.
func testDigest(t *testing.T, s suite) {
	var files []vfs.File
	texts := []string{"", "one", "two"}
	for _, text := range texts {
		s.put("f", text)
		f, err := s.Open(t.Context(), "f")
		s.ok(err)
		defer f.Close()
		files = append(files, f)
	}
	for i, f := range files {
		d, ok := vfs.As[vfs.Digest](f)
		if !ok {
			t.Skip("this store tells no digests")
		}
		for range 2 {
			sum, err := d.Digest(t.Context(), crypto.SHA256)
			s.ok(err)
			if want := sha256.Sum256([]byte(texts[i])); !bytes.Equal(sum, want[:]) {
				t.Errorf("%q: %x, want %x", texts[i], sum, want)
			}
		}
	}
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

// testVersions: two looks see the same version if nothing was changed between
// them, and no other file or content has it.
func testVersions(t *testing.T, s suite) {
	seen := make(map[vfs.Version]string)
	changed := func(what string) {
		t.Helper()
		v := s.look("f").Version
		if before, ok := seen[v]; ok {
			t.Errorf("after %s it is the version as after %s", what, before)
		}
		seen[v] = what
		s.same(v, what)
	}
	s.put("f", "one")
	changed("an upload")
	s.put("f", "two")
	changed("another upload")
	s.set("f", vfs.Attr{HasMode: true, Mode: 0o600})
	changed("a change of mode")
	when := time.Unix(1234567890, 0)
	s.set("f", vfs.Attr{HasTimes: true, Atime: when, Mtime: when})
	changed("a change of times")
	s.set("f", vfs.Attr{HasSize: true, Size: 2})
	changed("a change of size")

	// A file is not taken for one that it replaces, or that was removed, however
	// soon after that it comes.
	for n := range 50 {
		s.put("f", "same")
		changed(fmt.Sprintf("upload %d", n))
		if n%2 == 0 {
			s.ok(s.Remove(t.Context(), "f"))
		}
	}

	before := s.look("f").Version
	s.set("f", vfs.Attr{HasMode: true, Mode: s.look("f").Mode})
	s.commit(s.create("f", vfs.CreateOptions{}))
	s.same(before, "a change that is none")
	s.rename("f", "g", false)
	s.rename("g", "f", false)
	before = s.look("f").Version
	s.rename("f", "f", true)
	s.same(before, "a rename that is none")

	u := s.create("f", vfs.CreateOptions{Create: true, Truncate: true})
	s.write(u, 0, "three")
	s.same(before, "an upload that has not ended")
	s.ok(u.SetAttr(vfs.Attr{HasMode: true, Mode: 0o640, HasTimes: true, Atime: when, Mtime: when}))
	if published, now := s.commit(u).After, s.look("f"); published != now {
		t.Errorf("Commit made %+v, and there is %+v", published, now)
	}
}

// testReplaced has many publish under one name: each is told which file it has
// replaced, so that they make a chain.
func testReplaced(t *testing.T, s suite) {
	const writers, each = 4, 8
	var mu sync.Mutex
	replaced := make(map[vfs.Version]bool)
	note := func(c vfs.Change, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil || replaced[c.Replaced.Version] {
			t.Errorf("%+v is replaced twice (%v)", c.Replaced, err)
		}
		replaced[c.Replaced.Version] = true
	}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range each {
				name := "f"
				if n%4 == 3 {
					name = fmt.Sprint("other", w, n)
				}
				u, err := s.Create(t.Context(), name, vfs.CreateOptions{Create: true, Truncate: true})
				if err == nil {
					_, err = u.WriteAt(make([]byte, 1+n*writers+w), 0)
				}
				if err != nil {
					t.Error(err)
					return
				}
				c, err := u.Commit(t.Context())
				switch {
				case name == "f":
					note(c, err)
				case err != nil || c.Replaced != vfs.Info{}:
					t.Errorf("a new file has replaced %+v (%v)", c.Replaced, err)
				default:
					note(s.Rename(t.Context(), name, "f", true))
				}
			}
		})
	}
	group.Wait()
	if len(replaced) != writers*each || !replaced[vfs.Version{}] || replaced[s.look("f").Version] {
		t.Errorf("%d of %d versions were replaced: %v", len(replaced), writers*each, replaced)
	}
}

// same checks that f is that version, however one looks.
func (s suite) same(v vfs.Version, what string) {
	s.t.Helper()
	f, err := s.Open(s.t.Context(), "f")
	s.ok(err)
	defer f.Close()
	opened, err := f.Stat()
	s.ok(err)
	if now := s.look("f").Version; now != v || opened.Version != v {
		s.t.Errorf("after %s the versions of Stat and of Open are %v and %v, want %v", what, now, opened.Version, v)
	}
	if s.Properties().ApproximateList {
		return
	}
	for i, err := range s.List(s.t.Context()) {
		s.ok(err)
		if i.Name == "f" && i.Version != v {
			s.t.Errorf("after %s List has version %v, want %v", what, i.Version, v)
		}
	}
}

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

// testSpace: a store that knows its space says nothing impossible.
func testSpace(t *testing.T, s suite) {
	lib, ok := vfs.As[vfs.Space](s.Library)
	if !ok {
		t.Skip("this store does not know its space")
	}
	i, err := lib.Space(t.Context())
	s.ok(err)
	if i.BlockSize == 0 || i.Available > i.Free || i.Free > i.Blocks || i.FreeFiles > i.Files {
		t.Errorf("it has %+v", i)
	}
}

// testCancelled: when a ctx has ended a call does what it is to do or fails with
// that, and what was opened with it can be closed.
func testCancelled(t *testing.T, s suite) {
	s.put("f", "text")
	ctx, cancel := context.WithCancel(t.Context())
	f, err := s.Open(ctx, "f")
	s.ok(err)
	u, err := s.Create(ctx, "new", vfs.CreateOptions{Create: true})
	s.ok(err)
	s.write(u, 0, "text")
	cancel()
	late := make([]byte, 4)
	for what, err := range map[string]error{
		"Stat":            failure(s.Stat(ctx, "f")),
		"Open of none":    failure(s.Open(ctx, "none")),
		"Rename":          failure(s.Rename(ctx, "f", "f", true)),
		"SetAttr":         failure(s.SetAttr(ctx, "f", vfs.Attr{HasMode: true, Mode: 0o600})),
		"Remove of none":  s.Remove(ctx, "none"),
		"ReadAt":          failure(f.ReadAt(late, 0)),
		"Upload.WriteAt":  failure(u.WriteAt([]byte("late"), 0)),
		"Upload.ReadAt":   failure(u.ReadAt(late, 0)),
		"Create of a dot": failure(s.Create(ctx, ".x", vfs.CreateOptions{Create: true})),
	} {
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrName) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.ok(f.Close())
	if _, err := u.Commit(ctx); err == nil {
		s.has("new", "late") // it was published, whole
	} else {
		s.is(err, context.Canceled)
		s.hasNot("new")
	}
	u, err = s.Create(t.Context(), "other", vfs.CreateOptions{Create: true})
	s.ok(err)
	s.ok(u.Abort())
	s.hasNot("other")
	s.has("f", "text")
}

// testRaces: whatever happens at once, a file is one version, whole.
func testRaces(t *testing.T, s suite) {
	const writers, rounds = 4, 20
	version := func(w int) string { return strings.Repeat(string(rune('a'+w)), 1000+w) }
	s.put("f", version(0))
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for range rounds {
				u, err := s.Create(t.Context(), "f", vfs.CreateOptions{Create: true, Truncate: true})
				if err == nil {
					_, err = u.WriteAt([]byte(version(w)), 0)
				}
				if err == nil {
					_, err = u.Commit(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	reading.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			f, err := s.Open(t.Context(), "f")
			if err != nil {
				t.Error(err)
				return
			}
			b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
			f.Close()
			if err != nil || len(b) == 0 || len(b) != 1000+int(b[0]-'a') || bytes.Count(b, b[:1]) != len(b) {
				t.Errorf("torn: %d bytes, %v", len(b), err)
				return
			}
		}
	})
	writing.Wait()
	close(done)
	reading.Wait()
}
