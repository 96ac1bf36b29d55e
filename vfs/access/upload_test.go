package access_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// What a panic may have left half done is not published, however often it is
// written to afterwards.
func TestTornUpload(t *testing.T) {
	for _, call := range []vfstest.Call{vfstest.WriteAt, vfstest.SetAttr} {
		s, lib, events := open(t, everything())
		w, err := s.Create("new", access.Replace(0))
		if err != nil {
			t.Fatal(err)
		}
		lib.Fail(call, 1, nil)
		if !panics(func() { w.WriteAt([]byte("torn"), 0) }) && !panics(func() { w.SetAttr(vfs.Attr{HasSize: true, Size: 1}) }) {
			t.Fatal("nothing panicked")
		}
		if _, err := w.WriteAt([]byte("whole"), 0); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err == nil || s.Exists("new") {
			t.Errorf("%s panicked, and Commit says %v; published: %v", call, err, s.Exists("new"))
		}
		if e := *events; len(e) != 1 || e[0].Err == nil {
			t.Errorf("events %+v", e)
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// An upload of which it is not known whether it was published is told as such,
// to the client and in the event, and is not this session's own.
func TestUncertainCommit(t *testing.T) {
	lib := vfstest.NewFaulty(vfstest.NewMemory())
	var told error
	s := access.New(context.Background(), access.Options{
		Library: lib, Permissions: vfs.Permissions{Write: true}, Report: func(e vfs.Event) error { told = e.Err; return nil },
	})
	w, err := s.Create("f", access.Replace(0))
	if err != nil {
		t.Fatal(err)
	}
	lib.Fail(vfstest.Commit, 1, &vfs.Error{Kind: vfs.ErrUncertain, Err: errors.New("the answer was lost")})
	if err := w.Commit(); !errors.Is(err, vfs.ErrUncertain) || !errors.Is(told, vfs.ErrUncertain) {
		t.Errorf("the client is told %v, the event says %v", err, told)
	}
	if _, err := lib.Stat(context.Background(), "f"); err != nil {
		t.Error("it was not published after all:", err)
	}
	if s.Exists("f") {
		t.Error("it is this session's own")
	}
}

// WinSCP replaces x by REMOVE of x and RENAME of x.filepart. An account that may
// replace files but not delete them gets that in one step, which is reported as
// one: nothing is removed before.
func TestFilepartReplaces(t *testing.T) {
	start := func(p vfs.Permissions) (*access.Session, *vfstest.Faulty, *[]vfs.Event) {
		s, lib, events := open(t, p)
		w, err := s.Create("a.txt.filepart", access.Replace(0))
		if err == nil {
			err = w.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
		*events = nil
		return s, lib, events
	}
	p := everything()
	p.Delete, p.Rename = false, false
	s, lib, events := start(p)
	if err := s.Remove("a.txt"); err != nil || len(*events) != 0 {
		t.Fatalf("Remove: %v, events %+v", err, *events)
	}
	if i, err := lib.Stat(context.Background(), "a.txt"); err != nil || i.Size != 10 {
		t.Fatal("it was removed:", i, err)
	}
	if err := s.Rename("a.txt.filepart", "a.txt", false); err != nil || len(*events) != 1 {
		t.Fatalf("Rename: %v, events %+v", err, *events)
	}
	if i, err := lib.Stat(context.Background(), "a.txt"); err != nil || i.Size != 0 {
		t.Fatal("it was not replaced:", i, err)
	}

	// Only what was announced is replaced, once.
	s, _, _ = start(p)
	if err := s.Rename("a.txt.filepart", "b.txt", false); !errors.Is(err, fs.ErrExist) {
		t.Error("what was not announced was replaced:", err)
	}
	if err := s.Remove("b.txt"); !errors.Is(err, fs.ErrPermission) {
		t.Error("Remove of what has no part:", err)
	}

	// Who may delete deletes.
	p.Delete = true
	s, lib, _ = start(p)
	if err := s.Remove("a.txt"); err != nil {
		t.Error(err)
	}
	if _, err := lib.Stat(context.Background(), "a.txt"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it is still there:", err)
	}
}

// What a session has published stays its own when it renames it or sets its
// attributes, and no longer when another replaces it.
func TestOwn(t *testing.T) {
	s, lib, _ := open(t, vfs.Permissions{Write: true})
	w, err := s.Create("mine", access.Replace(0))
	if err == nil {
		err = w.Commit()
	}
	if err == nil {
		err = s.Rename("mine", "also mine", false)
	}
	if err == nil {
		err = s.SetAttr("also mine", vfs.Attr{HasMode: true, Mode: 0o640})
	}
	if err == nil {
		err = s.SetAttr("also mine", vfs.Attr{HasSize: true, Size: 3})
	}
	if err != nil || !s.Exists("also mine") || s.Exists("a.txt") {
		t.Fatalf("%v, mine %v, another's %v", err, s.Exists("also mine"), s.Exists("a.txt"))
	}
	vfstest.Put(t, lib, "also mine", "theirs")
	if s.Exists("also mine") {
		t.Error("what another has put there is taken for this session's")
	}
	if err := s.SetAttr("also mine", vfs.Attr{HasMode: true, Mode: 0o600}); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

// A client that left is not waited for.
func TestEndedSession(t *testing.T) {
	ctx, end := context.WithCancel(context.Background())
	lib := vfstest.NewMemory()
	vfstest.Put(t, lib, "f", "text")
	s := access.New(ctx, access.Options{Library: lib, Permissions: everything()})
	w, err := s.Create("new", access.Replace(0))
	if err != nil {
		t.Fatal(err)
	}
	end()
	if second(s.Stat("f")) == nil || second(s.Open("f")) == nil || second(w.WriteAt([]byte("x"), 0)) == nil {
		t.Error("the library is asked for nobody")
	}
	if err := w.Cut(); !errors.Is(err, vfs.ErrCut) {
		t.Errorf("Cut: %v", err)
	}
	if s.OpenHandles() != 0 {
		t.Error("something is still open")
	}
}
