package access_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// open is an account at a library in memory with some files, and its events.
func open(t *testing.T, p vfs.Permissions) (*access.Session, *vfstest.Faulty, *[]vfs.Event) {
	t.Helper()
	lib := vfstest.NewFaulty(vfstest.NewMemory())
	for _, name := range []string{"a.txt", "b.txt", "c[1].bin"} {
		vfstest.Put(t, lib, name, strings.Repeat("x", 10))
	}
	events := new([]vfs.Event)
	o := access.Options{Library: lib, Account: "ada", Permissions: p, MaxFileSize: 100}
	o.Report = func(e vfs.Event) error { *events = append(*events, e); return nil }
	return access.New(context.Background(), o), lib, events
}

// Every way in is bound by the permissions that bind SFTP, and is reported.
func TestAccessPermissions(t *testing.T) {
	upload := func(a *access.Session, name string) error {
		w, err := a.Create(name, access.Replace(0))
		if err != nil {
			return err
		}
		return w.Commit()
	}
	for _, test := range []struct {
		op   string
		take func(*vfs.Permissions)
		do   func(*access.Session) error
	}{
		{"list", func(p *vfs.Permissions) { p.List = false }, func(a *access.Session) error { return second(a.Match("/", "*", nil)) }},
		{"get", func(p *vfs.Permissions) { p.Read = false }, func(a *access.Session) error {
			r, err := a.Open("a.txt")
			if err == nil {
				r.Close(nil)
			}
			return err
		}},
		{"digest", func(p *vfs.Permissions) { p.Read = false }, func(a *access.Session) error { return second(a.Digest("a.txt", crypto.MD5)) }},
		{"put", func(p *vfs.Permissions) { p.Write = false }, func(a *access.Session) error { return upload(a, "new") }},
		{"put", func(p *vfs.Permissions) { p.Overwrite = false }, func(a *access.Session) error { return upload(a, "a.txt") }},
	} {
		for _, allowed := range []bool{true, false} {
			p := everything()
			if !allowed {
				test.take(&p)
			}
			a, _, events := open(t, p)
			err := test.do(a)
			if (err == nil) != allowed || !allowed && !strings.Contains(err.Error(), "may not") {
				t.Errorf("%s with %+v: %v", test.op, p, err)
			}
			if e := *events; len(e) != 1 || e[0].Op != test.op || (e[0].Err == nil) != allowed {
				t.Errorf("%s with %+v: events %+v", test.op, p, e)
			}
			if n := a.OpenHandles(); n != 0 {
				t.Errorf("%s: %d files are open", test.op, n)
			}
		}
	}
}

func TestAccessPaths(t *testing.T) {
	a, _, _ := open(t, everything())
	for _, path := range []string{"a.txt", "/a.txt", "./a.txt", "../a.txt", "x/../a.txt", "//a.txt"} {
		if !a.Exists(path) || second(a.Digest(path, crypto.MD5)) != nil {
			t.Errorf("%q is not a.txt", path)
		}
	}
	for _, path := range []string{"", "/", ".", "x/a.txt", "/etc/passwd", ".shelf", "a.txt\x00", strings.Repeat("a", 300)} {
		if a.Exists(path) || second(a.Digest(path, crypto.MD5)) == nil || second(a.Open(path)) == nil {
			t.Errorf("%q is there", path)
		}
	}
	for pattern, want := range map[string][]string{
		"*.txt": {"a.txt", "b.txt"}, "?.txt": {"a.txt", "b.txt"}, "[^a].txt": {"b.txt"}, "*": {"a.txt", "b.txt", "c[1].bin"},
		`c\[*`: {"c[1].bin"}, "c[1].bin": nil, "x*": nil, "[": nil, "*/*": nil,
	} {
		if got, err := a.Match("/", pattern, nil); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", pattern, got, err)
		}
	}
}

// An upload ends in one of three ways, and what follows does nothing.
func TestAccessUpload(t *testing.T) {
	for _, test := range []struct {
		name      string
		end       func(*access.Writer) error
		published bool
	}{
		{"commit", (*access.Writer).Commit, true},
		{"cut", (*access.Writer).Cut, false},
		{"abandon", func(w *access.Writer) error { return w.Abandon("the client gave up") }, false},
	} {
		a, lib, events := open(t, everything())
		w, err := a.Create("new", access.Replace(0o640))
		if err != nil {
			t.Fatal(err)
		}
		when := time.Unix(1e9, 0)
		if err := w.SetAttr(vfs.Attr{HasSize: true, Size: 5, HasTimes: true, Mtime: when, Atime: when}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteAt([]byte("hello"), 0); err != nil {
			t.Fatal(err)
		}
		if a.OpenHandles() != 1 {
			t.Error("an upload is not counted")
		}
		err = test.end(w)
		if (err == nil) != test.published || a.Exists("new") != test.published {
			t.Errorf("%s: %v, published: %v", test.name, err, a.Exists("new"))
		}
		if w.Commit() == nil || w.Cut() == nil || w.Abandon("") == nil || a.OpenHandles() != 0 {
			t.Errorf("%s: it can be ended again", test.name)
		}
		if e := *events; len(e) != 1 || e[0].Op != "put" || e[0].Bytes != 5 || (e[0].Err == nil) != test.published {
			t.Errorf("%s: events %+v", test.name, e)
		}
		if i, err := lib.Stat(context.Background(), "new"); test.published && (err != nil || !i.ModTime.Equal(when) || i.Mode != 0o640) {
			t.Errorf("%s: %v, %v", test.name, i, err)
		}
	}
}

// What failed once is not published, whatever is said later; no path of the
// host is told.
func TestAccessUploadFails(t *testing.T) {
	for _, call := range []vfstest.Call{vfstest.WriteAt, vfstest.SetAttr, vfstest.Commit} {
		a, lib, _ := open(t, everything())
		lib.Fail(call, 1, &vfs.Error{Kind: vfs.ErrIO, Why: "the server's disk failed", Err: errors.New("/srv/secret")})
		w, err := a.Create("new", access.Replace(0))
		if err != nil {
			t.Fatal(err)
		}
		_, err1 := w.WriteAt([]byte("hello"), 0)
		err2, err3 := w.SetAttr(vfs.Attr{HasMode: true, Mode: 0o600}), w.Commit()
		if err3 == nil || a.Exists("new") {
			t.Errorf("%s: %v, published: %v", call, err3, a.Exists("new"))
		}
		for _, err := range []error{err1, err2, err3} {
			if err != nil && (strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "disk failed")) {
				t.Errorf("%s: %v", call, err)
			}
		}
	}
	a, _, _ := open(t, everything())
	w, err := a.Create("new", access.Replace(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetAttr(vfs.Attr{HasSize: true, Size: 101}); err == nil || w.Commit() == nil {
		t.Error("a file larger than the limit was announced")
	}
}

func TestAccessReads(t *testing.T) {
	a, lib, events := open(t, everything())
	r, err := a.Open("a.txt")
	if err != nil {
		t.Fatal(err)
	}
	if a.OpenHandles() != 1 {
		t.Error("a file that is read is not counted")
	}
	text := make([]byte, 10)
	if n, err := r.ReadAt(text, 0); n != 10 {
		t.Error(n, err)
	}
	if i, err := r.Stat(); err != nil || i.Size != 10 {
		t.Error(i, err)
	}
	why := errors.New("the client left")
	r.Close(why)
	if e := *events; len(e) != 1 || e[0].Bytes != 10 || e[0].Err != why {
		t.Errorf("events %+v", e)
	}
	sum, err := a.Digest("a.txt", crypto.SHA256)
	if want := sha256.Sum256(text); err != nil || !slices.Equal(sum, want[:]) {
		t.Errorf("%x, %v", sum, err)
	}
	lib.Fail(vfstest.ReadAt, 1, nil) // a panic
	if _, err := a.Digest("a.txt", crypto.SHA256); err == nil {
		t.Error("a panic is no error")
	}
}

// everything is all permissions there are.
func everything() vfs.Permissions {
	return vfs.Permissions{List: true, Read: true, Write: true, Overwrite: true, Rename: true, Delete: true}
}

func second[T any](_ T, err error) error { return err }

// What cannot be recorded is neither done nor, if it was done, acknowledged.
func TestUnrecorded(t *testing.T) {
	lib := vfstest.NewMemory()
	vfstest.Put(t, lib, "a", "x")
	full := errors.New("full")
	var ready, report error
	s := access.New(context.Background(), access.Options{
		Library: lib, Permissions: vfs.Permissions{List: true, Read: true, Write: true, Overwrite: true, Rename: true, Delete: true},
		Ready: func() error { return ready }, Report: func(vfs.Event) error { return report },
	})
	upload, err := s.Create("new", access.Replace(0))
	if err != nil {
		t.Fatal(err)
	}
	ready = full
	for what, err := range map[string]error{
		"an upload": upload.Commit(), "a rename": s.Rename("a", "b", false), "a removal": s.Remove("a"), "times": s.SetAttr("a", vfs.Attr{}),
	} {
		if !errors.Is(err, vfs.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Create("new", access.Replace(0)); !errors.Is(err, vfs.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := lib.Stat(context.Background(), "new"); err == nil {
		t.Error("an upload is published")
	}
	if _, err := lib.Stat(context.Background(), "a"); err != nil {
		t.Error(err)
	}
	ready, report = nil, full
	if err := s.Rename("a", "b", false); !errors.Is(err, vfs.ErrIO) {
		t.Error("a rename without its line is acknowledged", err)
	}
}

// TestSetAttrByNameIsBoundByMaxFileSize sets a size by name, past the limit of the
// account and up to it.
func TestSetAttrByNameIsBoundByMaxFileSize(t *testing.T) {
	a, _, _ := open(t, everything())
	if err := a.SetAttr("a.txt", vfs.Attr{HasSize: true, Size: 101}); !errors.Is(err, vfs.ErrTooLarge) {
		t.Errorf("past the limit: %v", err)
	}
	if i, err := a.Stat("a.txt"); err != nil || i.Size != 10 {
		t.Errorf("after a refusal it has %d bytes, %v", i.Size, err)
	}
	if err := a.SetAttr("a.txt", vfs.Attr{HasSize: true, Size: 100}); err != nil {
		t.Errorf("up to the limit: %v", err)
	}
}
