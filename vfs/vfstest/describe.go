package vfstest

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"shelf/vfs"
)

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
