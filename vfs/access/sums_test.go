package access_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// told is what an event tells of a version.
func told(c *vfs.Content, contents ...string) string {
	if c == nil {
		return "none"
	}
	for _, text := range contents {
		if sum := sha256.Sum256([]byte(text)); string(c.SHA256) == string(sum[:]) && c.Size == int64(len(text)) {
			return text
		}
	}
	return fmt.Sprintf("%d bytes", c.Size)
}

// An event tells what was published and what that replaced. The SHA-256 of bytes
// that came in order is known without reading them again.
func TestSums(t *testing.T) {
	type write struct {
		off  int64
		text string
	}
	resize := func(size int64) write { return write{size, "\x00"} }
	for what, test := range map[string]struct {
		writes []write
		whole  string
		known  bool
	}{
		"in order":              {[]write{{0, "ab"}, {2, "cd"}}, "abcd", true},
		"nothing":               {nil, "", true},
		"a size first":          {[]write{resize(4), {0, "ab"}, {2, "cd"}}, "abcd", true},
		"a size that is right":  {[]write{{0, "abcd"}, resize(4)}, "abcd", true},
		"a size that is larger": {[]write{{0, "ab"}, resize(3)}, "ab\x00", false},
		"a size that is less":   {[]write{{0, "abcd"}, resize(2)}, "ab", false},
		"less and more":         {[]write{{0, "abcd"}, resize(0), {0, "efgh"}}, "efgh", false},
		"out of order":          {[]write{{2, "cd"}, {0, "ab"}}, "abcd", false},
		"twice":                 {[]write{{0, "ab"}, {2, "cd"}, {1, "x"}}, "axcd", false},
		"a gap":                 {[]write{{0, "a"}, {2, "c"}}, "a\x00c", false},
	} {
		for _, always := range []bool{false, true} {
			lib := vfstest.NewMemory()
			var events []vfs.Event
			sums := access.NewSums()
			sums.SetAlways(always)
			s := access.New(context.Background(), access.Options{Library: lib, LibraryName: "in", Permissions: everything(), Sums: sums,
				Report: func(e vfs.Event) error { events = append(events, e); return nil }})
			for range 2 {
				w, err := s.Create("f", access.Replace(0))
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range test.writes {
					if strings.HasPrefix(x.text, "\x00") {
						err = w.SetAttr(vfs.Attr{HasSize: true, Size: x.off})
					} else {
						_, err = w.WriteAt([]byte(x.text), x.off)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			want := test.whole
			if !test.known && !always {
				want = fmt.Sprintf("%d bytes", len(test.whole))
			}
			first, second := events[0], events[1]
			if got := told(first.File, test.whole); got != want || !first.New || first.Replaced != nil || first.Library != "in" {
				t.Errorf("%s, always %v: %q, want %q; %+v", what, always, got, want, first)
			}
			if got := told(second.Replaced, test.whole); got != want || second.New || second.Replaced.Version != first.File.Version {
				t.Errorf("%s, always %v: replaced %q, want %q; %+v", what, always, got, want, second)
			}
		}
	}
}

// What is known of a file stays known when it gets another name or other
// attributes, and who reads it is told of as having read that.
func TestSumsFollowAFile(t *testing.T) {
	lib := vfstest.NewMemory()
	var last vfs.Event
	s := access.New(context.Background(), access.Options{Library: lib, Permissions: everything(), Sums: access.NewSums(),
		Report: func(e vfs.Event) error { last = e; return nil }})
	put := func(name, text string) {
		t.Helper()
		w, err := s.Create(name, access.Replace(0))
		if err == nil {
			_, err = w.WriteAt([]byte(text), 0)
		}
		if err == nil {
			err = w.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("a", "one")
	put("b", "two")
	if err := s.SetAttr("a", vfs.Attr{HasMode: true, Mode: 0o640}); err != nil || told(last.File, "one") != "one" {
		t.Errorf("%v: %+v", err, last)
	}
	if err := s.Rename("a", "b", true); err != nil || told(last.File, "one") != "one" || told(last.Replaced, "two") != "two" || last.New {
		t.Errorf("%v: %+v", err, last)
	}
	if err := s.Rename("b", "c", false); err != nil || told(last.File, "one") != "one" || last.Replaced != nil || !last.New {
		t.Errorf("%v: %+v", err, last)
	}
	r, err := s.Open("c")
	if err != nil {
		t.Fatal(err)
	}
	r.ReadAt(make([]byte, 3), 0)
	if r.Close(nil); last.Op != "get" || told(last.File, "one") != "one" {
		t.Errorf("%+v", last)
	}
	if _, err := s.Digest("c", crypto.MD5); err != nil || last.Op != "digest" || told(last.File, "one") != "one" {
		t.Errorf("%v: %+v", err, last)
	}
	if err := s.SetAttr("c", vfs.Attr{HasSize: true, Size: 1}); err != nil || told(last.File, "o") != "1 bytes" {
		t.Errorf("%v: %+v", err, last)
	}
	if sum, err := s.Digest("c", crypto.SHA256); err != nil || string(sum) != string(last.File.SHA256) || told(last.File, "o") != "o" {
		t.Errorf("%v: %+v", err, last)
	}
}

// A client that opens a file to ask for its digest has read nothing of it.
func TestDigestIsNoGet(t *testing.T) {
	s, lib, events := open(t, everything())
	vfstest.Put(t, lib, "f", "text")
	r, err := s.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Digest(crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	r.Close(nil)
	if e := *events; len(e) != 1 || e[0].Op != "digest" || told(e[0].File, "text") != "text" {
		t.Errorf("%+v", e)
	}
	if r, err = s.Open("f"); err != nil {
		t.Fatal(err)
	}
	r.Digest(crypto.MD5)
	r.ReadAt(make([]byte, 4), 0)
	r.Close(nil)
	if e := *events; len(e) != 3 || e[2].Op != "get" || e[2].Bytes != 4 {
		t.Errorf("%+v", e)
	}
}
