package access_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// counted is a Source that counts who has its library open.
type counted struct {
	vfs.Library
	open int
	err  error
}

func (c *counted) Open(context.Context) (vfs.Library, func(), error) {
	if c.err != nil {
		return nil, nil, c.err
	}
	c.open++
	return c.Library, func() { c.open-- }, nil
}

// exchange is an account that puts into in and gets from out.
func exchange() (in, out *counted, all map[string]access.Share) {
	in, out = &counted{Library: vfstest.NewMemory()}, &counted{Library: vfstest.NewMemory()}
	return in, out, map[string]access.Share{
		"in":  {Source: in, Label: "in", Permissions: vfs.Permissions{Write: true, List: true}},
		"out": {Source: out, Label: "out", Permissions: vfs.Permissions{Read: true, List: true}},
	}
}

func putInto(t *testing.T, s *access.Session, name, text string) error {
	t.Helper()
	w, err := s.Create(name, access.Flags{Create: true, Truncate: true})
	if err != nil {
		return err
	}
	if _, err := w.WriteAt([]byte(text), 0); err != nil {
		t.Fatal(err)
	}
	return w.Commit()
}

func TestFolders(t *testing.T) {
	in, out, all := exchange()
	var events []string
	s := access.New(context.Background(), access.Options{Account: "acme", Shares: all, Report: func(e vfs.Event) error {
		events = append(events, strings.TrimSpace(e.Op+" "+e.Library+":"+e.Name+" "+e.Target))
		return nil
	}})
	if i, err := s.Stat("/in"); err != nil || !i.IsDir() || i.Name != "in" {
		t.Error(i, err)
	}
	if got := names(t, s, "/"); !slices.Equal(got, []string{"in", "out"}) {
		t.Errorf("/ lists %q", got)
	}
	if in.open+out.open != 0 {
		t.Error("a library is open, and nobody needs it")
	}
	if err := putInto(t, s, "in/f", "text"); err != nil {
		t.Error(err)
	}
	if got := names(t, s, "in/"); in.open != 1 || out.open != 0 || !slices.Equal(got, []string{"f"}) {
		t.Errorf("in lists %q; %d and %d are open", got, in.open, out.open)
	}
	for _, c := range []struct {
		do   func() error
		kind error
		says string
	}{
		{func() error { return putInto(t, s, "/f", "text") }, fs.ErrPermission, "choose one of: in, out"},
		{func() error { return putInto(t, s, "elsewhere/f", "text") }, fs.ErrPermission, "choose one of: in, out"},
		{func() error { return putInto(t, s, "in/x/f", "text") }, fs.ErrNotExist, "no folders"},
		{func() error { return putInto(t, s, "out/f", "text") }, fs.ErrPermission, "may not upload"},
		{func() error { _, err := s.Open("in/f"); return err }, fs.ErrPermission, "may not read"},
		{func() error { _, err := s.Stat("f"); return err }, fs.ErrNotExist, ""},
		{func() error { _, err := s.List("f"); return err }, fs.ErrNotExist, ""},
		{func() error { return s.Rename("in/f", "out/f", false) }, vfs.ErrCrossLibrary, "another library"},
		{func() error { return s.Rename("in/f", "f", false) }, fs.ErrPermission, "choose one of"},
		{func() error { return s.Remove("in") }, fs.ErrPermission, "library itself"},
		{func() error { return s.Remove("/") }, fs.ErrPermission, "folder of the libraries"},
		{func() error { return s.Rename("in", "on", true) }, fs.ErrPermission, "library itself"},
		{func() error { return s.MakeFolder("in") }, fs.ErrExist, ""},
		{func() error { return s.MakeFolder("new") }, vfs.ErrUnsupported, "only the operator"},
		{func() error { return s.MakeFolder("in/new") }, vfs.ErrUnsupported, "no folders"},
		{func() error { return s.RemoveFolder("in") }, vfs.ErrUnsupported, "only the operator"},
		{func() error { _, err := s.Match("/", "*", nil); return err }, fs.ErrPermission, "choose one of"},
		{func() error { _, err := s.Space("/"); return err }, fs.ErrPermission, "choose one of"},
	} {
		if err := c.do(); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v, want %v with %q", err, c.kind, c.says)
		}
	}
	// What a session uploads may be renamed by it, but not into another library.
	all["in"] = access.Share{Source: in, Label: "in", Permissions: everything()}
	s.Change(access.Options{Shares: all})
	if err := s.Rename("in/f", "in/g", false); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"list :", "put in:f", "list in:", "put :f", "put in:x/f", "rename in:f g", "rename in:f out/f"} {
		if !slices.Contains(events, want) {
			t.Errorf("no event %q in %q", want, events)
		}
	}
	s.End()
	if in.open+out.open != 0 {
		t.Error("a library is still open")
	}
}

func names(t *testing.T, s *access.Session, path string) (all []string) {
	t.Helper()
	l, err := s.List(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var files [10]vfs.Info
	n, _ := l.Next(files[:])
	for _, i := range files[:n] {
		all = append(all, i.Name)
	}
	return all
}

// A library that can't be opened does not keep the others from being served, and
// is served once it can be.
func TestFolderOutOfOrder(t *testing.T) {
	in, out, all := exchange()
	out.err = fs.ErrNotExist // of its folder
	s := access.New(context.Background(), access.Options{Account: "acme", Shares: all})
	defer s.End()
	if _, err := s.Open("out/f"); !errors.Is(err, vfs.ErrUnavailable) {
		t.Error(err)
	}
	if err := putInto(t, s, "out/f", "text"); !errors.Is(err, vfs.ErrUnavailable) {
		t.Error(err)
	}
	if err := putInto(t, s, "in/f", "text"); err != nil || in.open != 1 {
		t.Error(err)
	}
	out.err = nil
	if _, err := s.Open("out/f"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestStartFolder(t *testing.T) {
	_, _, all := exchange()
	s := access.New(context.Background(), access.Options{Account: "acme", Shares: all, Start: "in"})
	defer s.End()
	if err := putInto(t, s, "f", "text"); err != nil || s.Start() != "/in" {
		t.Error(err, s.Start())
	}
	if _, err := s.Stat("../in/f"); err != nil {
		t.Error(err)
	}
}

// What an account may do less is refused from the next request on, whatever was
// begun before.
func TestFewerPermissions(t *testing.T) {
	lib := vfstest.NewMemory()
	share := access.Share{Source: access.Opened(lib), Permissions: everything()}
	begin := func() *access.Session {
		return access.New(context.Background(), access.Options{Account: "ada", Shares: map[string]access.Share{"in": share}})
	}
	s := begin()
	for _, name := range []string{"in/read", "in/old"} {
		if err := putInto(t, s, name, "text"); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.Open("in/read")
	if err != nil {
		t.Fatal(err)
	}
	both, err := s.Create("in/old", access.Flags{Read: true})
	if err != nil {
		t.Fatal(err)
	}
	over, err := s.Create("in/old", access.Flags{Create: true, Truncate: true})
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := s.Create("in/new", access.Flags{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.List("in")
	if err != nil {
		t.Fatal(err)
	}
	change := func(p vfs.Permissions) {
		share.Permissions = p
		s.Change(access.Options{Shares: map[string]access.Share{"in": share}})
	}
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", what, err)
		}
	}
	change(vfs.Permissions{Write: true})
	_, err = r.ReadAt(make([]byte, 4), 0)
	refused("READ", err)
	_, err = both.ReadAt(make([]byte, 4), 0)
	refused("READ of what an upload started from", err)
	_, err = l.Next(make([]vfs.Info, 1))
	refused("READDIR", err)
	if err := over.Commit(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an upload that may not replace any more: %v", err)
	}
	if err := fresh.Commit(); err != nil {
		t.Errorf("an upload that is still allowed: %v", err)
	}
	last, err := s.Create("in/last", access.Flags{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	change(vfs.Permissions{Read: true, List: true})
	_, err = last.WriteAt([]byte("x"), 0)
	refused("WRITE", err)
	refused("CLOSE", last.Commit())
	if _, err := r.ReadAt(make([]byte, 4), 0); err != nil {
		t.Errorf("READ, allowed again: %v", err)
	}
	s.Change(access.Options{Shares: map[string]access.Share{"out": share}})
	_, err = r.ReadAt(make([]byte, 4), 0)
	refused("READ in a library that is gone", err)
	if _, err := s.Stat("in/read"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := s.Stat("out/read"); err != nil {
		t.Error(err)
	}
}
