package access_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// temporaries is a server in small: a library that holds the file "a", and
// sessions that find each other's temporary files.
type temporaries struct {
	t      *testing.T
	lib    *vfstest.Faulty
	held   *access.Temporaries
	events []vfs.Event
}

func newTemporaries(t *testing.T) *temporaries {
	r := &temporaries{t: t, lib: vfstest.NewFaulty(vfstest.NewMemory()), held: access.NewTemporaries()}
	vfstest.Put(t, r.lib, "a", "old")
	return r
}

func (r *temporaries) session(ctx context.Context, account string, p vfs.Permissions) *access.Session {
	return access.New(ctx, access.Options{
		Library: r.lib, Account: account, Permissions: p, Temporaries: r.held,
		Report: func(e vfs.Event) error {
			r.events = append(r.events, e)
			return nil
		},
	})
}

// editor is the default permissions: all but to delete.
func editor() vfs.Permissions {
	p := everything()
	p.Delete = false
	return p
}

// put uploads a text and closes it.
func put(s *access.Session, name, text string) error {
	w, err := s.Create(name, access.Flags{Create: true, Exclusive: true})
	if err != nil {
		return err
	}
	_, err = w.WriteAt([]byte(text), 0)
	return errors.Join(err, w.Commit())
}

// holds compares what is published, as "name=text".
func (r *temporaries) holds(want ...string) {
	r.t.Helper()
	var got []string
	for i, err := range r.lib.List(context.Background()) {
		if err != nil {
			r.t.Fatal(err)
		}
		f, err := r.lib.Open(context.Background(), i.Name)
		if err != nil {
			r.t.Fatal(err)
		}
		text := make([]byte, i.Size)
		f.ReadAt(text, 0)
		f.Close()
		got = append(got, i.Name+"="+string(text))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("published are %q, want %q", got, want)
	}
}

// reported compares the events since the last time, as "operation name".
func (r *temporaries) reported(want ...string) {
	r.t.Helper()
	var got []string
	for _, e := range r.events {
		said := e.Op + " " + e.Name
		if e.Err != nil {
			said += " failed"
		}
		got = append(got, said)
	}
	if r.events = nil; !slices.Equal(got, want) {
		r.t.Errorf("reported are %q, want %q", got, want)
	}
}

func (r *temporaries) must(errs ...error) {
	r.t.Helper()
	if err := errors.Join(errs...); err != nil {
		r.t.Fatal(err)
	}
}

const gio = ".giosaveWuyLSk"

// The old file is there until the new one is, for who may delete as well, and
// one event tells of it.
func TestTemporaryReplaces(t *testing.T) {
	for _, p := range []vfs.Permissions{editor(), everything()} {
		for _, temporary := range []string{gio, "a.part", "a.filepart"} {
			if temporary != gio && p.Delete {
				continue // such a REMOVE may be meant
			}
			r := newTemporaries(t)
			s := r.session(t.Context(), "ada", p)
			r.must(put(s, temporary, "new"), s.Remove("a"))
			r.holds("a=old")
			if !p.Delete && !s.Exists(temporary) { // it would carry out what REMOVE has put off
				t.Error("it does not see its own temporary file")
			}
			r.must(s.Rename(temporary, "a", false))
			r.holds("a=new")
			r.reported("put a")
			if p.Delete {
				continue
			}
			if err := s.Remove("a"); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("REMOVE with nothing to replace it: %v", err)
			}
		}
	}
}

// Who may delete and goes on to something else has deleted. Who goes has not:
// the new file would be lost with the old one.
func TestRemovePutOff(t *testing.T) {
	for what, on := range map[string]func(*access.Session) error{
		"stat":   func(s *access.Session) error { s.Exists("a"); return nil },
		"list":   func(s *access.Session) error { l, err := s.List("/"); l.Close(); return err },
		"rename": func(s *access.Session) error { return s.Rename("b", "c", false) },
	} {
		r := newTemporaries(t)
		vfstest.Put(t, r.lib, "b", "b")
		s := r.session(t.Context(), "ada", everything())
		r.must(put(s, gio, "new"), s.Remove("a"), on(s))
		if _, err := r.lib.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it was not deleted: %v", what, err)
		}
		if len(r.events) == 0 || r.events[0].Op != "remove" || r.events[0].Err != nil {
			t.Errorf("%s: events %+v", what, r.events)
		}
	}
	r := newTemporaries(t)
	s := r.session(t.Context(), "ada", everything())
	r.must(put(s, gio, "new"), s.Remove("a"))
	s.End()
	r.holds("a=old")
}

// What REMOVE announced is replaced only while it is the same file.
func TestAnnouncedIsAnother(t *testing.T) {
	r := newTemporaries(t)
	s := r.session(t.Context(), "ada", editor())
	r.must(put(s, gio, "new"), s.Remove("a"))
	vfstest.Put(t, r.lib, "a", "another's")
	if err := s.Rename(gio, "a", false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("what was not announced was replaced: %v", err)
	}
	r.holds("a=another's")
}

// A hidden name needs what any upload needs, and RENAME what replacing needs.
func TestHiddenPermissions(t *testing.T) {
	r := newTemporaries(t)
	if err := put(r.session(t.Context(), "guest", vfs.Permissions{List: true, Read: true}), gio, "x"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("who may not write: %v", err)
	}
	s := r.session(t.Context(), "dropbox", vfs.Permissions{Write: true})
	r.must(put(s, gio, "new"))
	for _, replace := range []bool{false, true} {
		if err := s.Rename(gio, "a", replace); !errors.Is(err, fs.ErrExist) {
			t.Errorf("who may not overwrite: %v", err)
		}
	}
	if err := s.Remove("a"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("who may neither delete nor overwrite: %v", err)
	}
	r.must(s.Rename(gio, "b", false))
	r.holds("a=old", "b=new")
	r.must(put(s, "a.part", "x")) // it could not replace a, so it is a file
	r.holds("a=old", "a.part=x", "b=new")

	s = r.session(t.Context(), "ada", everything())
	if err := s.Rename("a", ".#a", false); err == nil {
		t.Error("a file was hidden")
	}
	for _, name := range []string{".profile", ".giosave", ".giosaveWuyLSkx", ".#", ".", ".giosaveabc\x00ef"} {
		if put(s, name, "x") == nil {
			t.Errorf("an upload to %q", name)
		}
	}
	if put(access.New(t.Context(), access.Options{Library: r.lib, Permissions: everything()}), gio, "x") == nil {
		t.Error("an upload to a hidden name where nobody can rename it")
	}
}

// A session holds a few at most, however it goes about it.
func TestHiddenAreFew(t *testing.T) {
	r := newTemporaries(t)
	s := r.session(t.Context(), "ada", everything())
	var open []*access.Writer
	for i := 0; ; i++ {
		w, err := s.Create(fmt.Sprintf(".giosave%06d", i), access.Flags{Create: true})
		if err != nil {
			if !errors.Is(err, vfs.ErrTooMany) || i != 32 {
				t.Errorf("after %d: %v", i, err)
			}
			break
		}
		open = append(open, w)
	}
	for _, w := range open {
		r.must(w.Commit())
	}
	if put(s, gio, "x") == nil {
		t.Error("one more")
	}
	r.must(s.Remove(".giosave000000"), put(s, gio, "x"))
	r.events = nil
	s.End()
	r.holds("a=old")
	if len(r.events) != 32 || r.events[0].Err == nil {
		t.Errorf("%d events, want one for each", len(r.events))
	}
}

// What may be a file is published when its session goes on or ends, even if its
// client is gone.
func TestVisibleIsKept(t *testing.T) {
	for what, on := range map[string]func(*access.Session, func()) error{
		"put":  func(s *access.Session, _ func()) error { return put(s, "b", "b") },
		"list": func(s *access.Session, _ func()) error { l, err := s.List("/"); l.Close(); return err },
		"end":  func(s *access.Session, gone func()) error { gone(); s.End(); return nil },
	} {
		r := newTemporaries(t)
		ctx, gone := context.WithCancel(t.Context())
		s := r.session(ctx, "ada", editor())
		r.must(put(s, "a.part", "text"))
		r.holds("a=old")
		r.must(on(s, gone))
		gone()
		if i, err := r.lib.Stat(t.Context(), "a.part"); err != nil || i.Size != 4 {
			t.Errorf("%s: %v, %v", what, i, err)
		}
	}
}

// Nothing of a hidden file is left of a client that goes before CLOSE is done.
func TestHiddenClientGone(t *testing.T) {
	for _, end := range []func(*access.Writer) error{(*access.Writer).Commit, (*access.Writer).Cut} {
		r := newTemporaries(t)
		ctx, gone := context.WithCancel(t.Context())
		s := r.session(ctx, "ada", editor())
		w, err := s.Create(gio, access.Flags{Create: true})
		r.must(err)
		gone()
		end(w)
		s.End()
		r.holds("a=old")
		if s.OpenHandles() != 0 {
			t.Error("something is open")
		}
	}
}

// GVFS uploads over one connection and renames over another. No other account
// finds the file, and an editor's lock is its session's alone.
func TestTakeOver(t *testing.T) {
	r := newTemporaries(t)
	data, command := r.session(t.Context(), "ada", editor()), r.session(t.Context(), "ada", editor())
	other := r.session(t.Context(), "eve", editor())
	r.must(put(data, gio, "new"))
	if err := other.Remove("a"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("REMOVE by another account: %v", err)
	}
	if err := other.Rename(gio, "b", false); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("RENAME by another account: %v", err)
	}
	r.must(command.Remove("a"))
	r.holds("a=old")
	r.must(command.Rename(gio, "a", false))
	r.holds("a=new")
	if data.Exists(gio) {
		t.Error("it is still there")
	}
	data.End()
	r.holds("a=new")

	data = r.session(t.Context(), "ada", editor())
	r.must(put(data, ".#a", "ada@host"))
	if err := command.Rename(".#a", "b", false); err == nil {
		t.Error("RENAME of another session's lock")
	}
	if !data.Exists(".#a") || command.Exists(".#a") {
		t.Error("a lock is its session's alone")
	}
}

// If RENAME can't publish, the old file stays, and the client is told.
func TestTemporaryCommitFails(t *testing.T) {
	r := newTemporaries(t)
	s := r.session(t.Context(), "ada", everything())
	r.must(put(s, gio, "new"), s.Remove("a"))
	r.lib.Fail(vfstest.Commit, 1, &vfs.Error{Kind: vfs.ErrIO, Why: "the server's disk is full"})
	if err := s.Rename(gio, "a", false); !errors.Is(err, vfs.ErrIO) {
		t.Errorf("RENAME: %v", err)
	}
	s.End()
	r.holds("a=old")

	// Nor is OK said of an upload that has failed.
	r.lib.Fail(vfstest.WriteAt, 1, &vfs.Error{Kind: vfs.ErrIO, Why: "the server's disk is full"})
	if err := put(s, ".giosave000000", "x"); err == nil || s.Exists(".giosave000000") {
		t.Errorf("CLOSE: %v", err)
	}
}

// While one session uploads, looks and removes, another renames what it finds:
// each upload ends up in one place, whole, or is removed.
func TestTakeOverConcurrently(t *testing.T) {
	r := newTemporaries(t)
	ada := func() *access.Session {
		return access.New(t.Context(), access.Options{Library: r.lib, Account: "ada", Permissions: everything(), Temporaries: r.held})
	}
	data, command := ada(), ada()
	done := make(chan int)
	go func() {
		renamed := 0
		for renamed < 50 {
			if command.Rename(gio, fmt.Sprint("f", renamed), false) == nil {
				renamed++
			}
		}
		done <- renamed
	}()
	for {
		select {
		case renamed := <-done:
			data.End()
			command.End()
			for i := range renamed {
				if i, err := r.lib.Stat(t.Context(), fmt.Sprint("f", i)); err != nil || i.Size != 3 {
					t.Errorf("%v, %v", i, err)
				}
			}
			return
		default:
		}
		put(data, gio, "new")
		data.Exists(gio)
		data.SetAttr(gio, vfs.Attr{HasMode: true, Mode: 0o600})
		if data.OpenHandles() != 0 {
			t.Fatal("something is open")
		}
	}
}

// asked is a library that notes how uploads are begun.
type asked struct {
	vfs.Library
	options vfs.CreateOptions
}

func (l *asked) Create(ctx context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	l.options = o
	return l.Library.Create(ctx, name, o)
}

// What is uploaded to a hidden name is the account's: its quota counts it. But nobody
// could go on with it under that name.
func TestHiddenNameHasOwner(t *testing.T) {
	lib := &asked{Library: vfstest.NewMemory()}
	s := access.New(t.Context(), access.Options{Library: lib, Account: "ada", Permissions: editor(), Temporaries: access.NewTemporaries()})
	if err := put(s, gio, "text"); err != nil {
		t.Fatal(err)
	}
	if o := lib.options; o.Owner != "ada" || !o.NoPartial {
		t.Errorf("the library was asked for %+v", o)
	}
}
