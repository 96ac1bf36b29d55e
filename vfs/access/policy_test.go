package access_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// What stands under the name "f" when an operation is tried.
type standing string

const (
	absent  standing = "absent"
	foreign standing = "foreign" // somebody else has published it
	own     standing = "own"     // this session has
	pending standing = "pending" // this session has it open for writing, and nothing is published
	over    standing = "over"    // the same, over somebody else's
	partial standing = "partial" // the account can resume it
)

// The rules as they are documented for operators: what an account may do to what
// stands there. The answer is nil, fs.ErrNotExist, fs.ErrPermission or fs.ErrExist.
var rules = []struct {
	op    string
	event string // "" is none
	do    func(*access.Session) error
	rule  func(p vfs.Permissions, at standing) error
}{
	{"list", "list", func(s *access.Session) error {
		l, err := s.List("/")
		if err == nil {
			err = l.Close()
		}
		return err
	}, func(p vfs.Permissions, _ standing) error {
		return needs(p.List)
	}},
	{"match", "list", func(s *access.Session) error { return second(s.Match("/", "*", nil)) }, func(p vfs.Permissions, _ standing) error {
		return needs(p.List)
	}},
	// Every file can be seen by who may list or read; what one has uploaded
	// oneself, or can go on with, by anyone. The rest is as if it were not there.
	{"stat", "", func(s *access.Session) error { return second(s.Stat("f")) }, func(p vfs.Permissions, at standing) error {
		switch at {
		case own, pending, over:
			return nil
		case foreign:
			return seen(p.List || p.Read)
		case partial:
			return seen(p.Write)
		}
		return fs.ErrNotExist
	}},
	{"get", "get", func(s *access.Session) error {
		r, err := s.Open("f")
		if err == nil {
			err = r.Close(nil)
		}
		return err
	}, reading},
	{"digest", "digest", func(s *access.Session) error { return second(s.Digest("f", crypto.MD5)) }, reading},
	{"put", "put", create(access.Flags{Create: true, Truncate: true}), uploading},
	{"put without truncating", "put", create(access.Flags{Create: true}), uploading},
	{"put that reads, too", "put", create(access.Flags{Create: true, Read: true}), func(p vfs.Permissions, at standing) error {
		// What was there before may be read only by who may read.
		switch {
		case (at == pending || at == over) && !p.Read:
			return fs.ErrPermission
		case uploading(p, at) != nil:
			return uploading(p, at)
		case at == foreign || at == own || at == partial:
			return needs(p.Read)
		}
		return nil
	}},
	{"put exclusively", "put", create(access.Flags{Create: true, Exclusive: true, Truncate: true}), func(p vfs.Permissions, at standing) error {
		switch at {
		case foreign, own, over:
			return fs.ErrExist
		case pending:
			if !p.Write {
				return fs.ErrPermission
			}
			return fs.ErrExist
		}
		return needs(p.Write)
	}},
	{"put to what exists", "put", create(access.Flags{Truncate: true}), func(p vfs.Permissions, at standing) error {
		switch {
		case at == absent && p.Write && dropBox(p):
			return fs.ErrPermission
		case (at == absent || at == partial) && p.Write:
			return fs.ErrNotExist
		}
		return uploading(p, at)
	}},
	// Renaming takes the permission, or that it is this session's own. What another
	// has published under the name of one's upload is not.
	{"rename", "rename", func(s *access.Session) error { return s.Rename("f", "new", false) }, renaming},
	{"rename over a file", "rename", func(s *access.Session) error { return s.Rename("f", "taken", true) }, func(p vfs.Permissions, at standing) error {
		if err := renaming(p, at); err != nil {
			return err
		}
		if !p.Overwrite {
			return fs.ErrExist
		}
		return nil
	}},
	{"rename to a taken name", "rename", func(s *access.Session) error { return s.Rename("f", "taken", false) }, func(p vfs.Permissions, at standing) error {
		if err := renaming(p, at); err != nil {
			return err
		}
		return fs.ErrExist
	}},
	// Deleting takes the permission, own or not; one's partial is nobody else's.
	{"remove", "remove", func(s *access.Session) error { return s.Remove("f") }, func(p vfs.Permissions, at standing) error {
		switch {
		case at == partial && p.Write:
			return nil
		case !p.Delete:
			return fs.ErrPermission
		case at == absent || at == partial:
			return fs.ErrNotExist
		}
		return nil
	}},
	// Attributes are changed by who may overwrite, and of one's own by anyone.
	{"setattr", "setstat", func(s *access.Session) error { return s.SetAttr("f", vfs.Attr{HasMode: true, Mode: 0o600}) }, changing},
	{"set a size", "setstat", func(s *access.Session) error { return s.SetAttr("f", vfs.Attr{HasSize: true, Size: 1}) }, changing},
	{"chown", "setstat", func(s *access.Session) error { return s.SetAttr("f", vfs.Attr{HasOwner: true}) }, func(vfs.Permissions, standing) error {
		return fs.ErrPermission
	}},
	{"rmdir", "", func(s *access.Session) error { return s.RemoveFolder("folder") }, func(p vfs.Permissions, _ standing) error {
		if !p.Delete {
			return fs.ErrPermission
		}
		return vfs.ErrUnsupported
	}},
	{"space", "", func(s *access.Session) error { return second(s.Space("/")) }, func(vfs.Permissions, standing) error {
		return vfs.ErrUnsupported // a library in memory does not know
	}},
}

func needs(ok bool) error {
	if ok {
		return nil
	}
	return fs.ErrPermission
}

func seen(ok bool) error {
	if ok {
		return nil
	}
	return fs.ErrNotExist
}

func reading(p vfs.Permissions, at standing) error {
	if !p.Read {
		return fs.ErrPermission
	}
	return seen(at != absent && at != partial)
}

// uploading: a new name takes write, one that a file has takes overwrite, and
// that the file is one's own does not matter.
func uploading(p vfs.Permissions, at standing) error {
	switch at {
	case foreign, own, over:
		return needs(p.Overwrite)
	}
	return needs(p.Write)
}

func renaming(p vfs.Permissions, at standing) error {
	switch at {
	case own, pending:
		return nil
	case foreign, over:
		return needs(p.Rename)
	}
	if !p.Rename {
		return fs.ErrPermission
	}
	return fs.ErrNotExist
}

func changing(p vfs.Permissions, at standing) error {
	switch at {
	case own, pending, over:
		return nil
	case foreign:
		return needs(p.Overwrite)
	}
	if dropBox(p) {
		return fs.ErrPermission // the same, whether there is a file or not
	}
	return fs.ErrNotExist
}

// dropBox is permissions that do not show which files there are.
func dropBox(p vfs.Permissions) bool { return !p.List && !p.Read && !p.Overwrite }

func create(f access.Flags) func(*access.Session) error {
	return func(s *access.Session) error {
		w, err := s.Create("f", f)
		if err == nil {
			err = w.Commit()
		}
		return err
	}
}

// everyPermissions yields each set of permissions of an account.
func everyPermissions() iter.Seq[vfs.Permissions] {
	return func(yield func(vfs.Permissions) bool) {
		for bits := range 1 << 6 {
			if !yield(vfs.Permissions{
				List: bits&1 != 0, Read: bits&2 != 0, Write: bits&4 != 0,
				Overwrite: bits&8 != 0, Rename: bits&16 != 0, Delete: bits&32 != 0,
			}) {
				return
			}
		}
	}
}

// Every operation with every set of permissions, whatever stands there.
func TestPolicy(t *testing.T) {
	for p := range everyPermissions() {
		for _, at := range []standing{absent, foreign, own, pending, over, partial} {
			for _, r := range rules {
				s, events, possible := stand(t, p, at)
				if !possible {
					continue
				}
				before := len(*events)
				err, want := r.do(s.Session), r.rule(p, at)
				if want == nil && err != nil || !errors.Is(err, want) {
					t.Errorf("%s of what is %s with %+v: %v, want %v", r.op, at, p, err, want)
				}
				checkEvent(t, fmt.Sprintf("%s of what is %s with %+v", r.op, at, p), (*events)[before:], r.event, err)
			}
		}
	}
}

// checkEvent checks that an operation was reported, and that it failed if it did.
func checkEvent(t *testing.T, what string, events []vfs.Event, op string, err error) {
	t.Helper()
	if op == "" {
		if len(events) != 0 {
			t.Errorf("%s: reported %+v", what, events)
		}
		return
	}
	if len(events) != 1 || events[0].Op != op || (events[0].Err != nil) != (err != nil) {
		t.Errorf("%s: reported %+v, want one %s", what, events, op)
	}
}

// stood is a session, and what is below it.
type stood struct {
	*access.Session
	library vfs.Library
}

// stand makes a session with p, and what stands under "f" as said. Some of that
// needs permissions, without which it is not possible.
func stand(t *testing.T, p vfs.Permissions, at standing) (s stood, events *[]vfs.Event, possible bool) {
	t.Helper()
	lib := vfstest.NewMemory()
	vfstest.Put(t, lib, "taken", "taken")
	if at == foreign || at == over {
		vfstest.Put(t, lib, "f", "foreign")
	}
	if at == partial {
		keepPartial(t, lib, "f")
	}
	events = new([]vfs.Event)
	o := access.Options{Library: lib, Account: "ada", Permissions: p, Report: func(e vfs.Event) error { *events = append(*events, e); return nil }}
	s = stood{access.New(context.Background(), o), lib}
	if at != own && at != pending && at != over {
		return s, events, true
	}
	w, err := s.Create("f", access.Replace(0))
	if err == nil {
		_, err = w.WriteAt([]byte("own"), 0)
	}
	if err == nil && at == own {
		err = w.Commit()
	}
	return s, events, err == nil
}

func keepPartial(t *testing.T, lib vfs.Library, name string) {
	t.Helper()
	u, err := lib.Create(t.Context(), name, vfs.CreateOptions{Create: true, Truncate: true, Owner: "ada"})
	if err == nil {
		_, err = u.WriteAt(make([]byte, 64<<10), 0)
	}
	if err == nil {
		k, _ := vfs.As[vfs.Keeper](u)
		err = k.Keep()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// held is what a hold makes of the rules above: what would change or remove a file
// that is published is refused to everybody, and all else is as without it.
func held(op string, p vfs.Permissions, at standing) (want error, other bool) {
	published := at == foreign || at == own || at == over
	switch op {
	case "put", "put without truncating", "put that reads, too", "put to what exists":
		return fs.ErrPermission, published
	case "rename":
		return fs.ErrPermission, at != pending
	case "rename over a file", "rename to a taken name":
		return fs.ErrPermission, at != pending || p.Overwrite
	case "remove":
		return fs.ErrPermission, !(at == partial && p.Write)
	case "setattr", "set a size":
		switch at {
		case pending, over:
			return nil, true // of the upload
		case own, foreign:
			return fs.ErrPermission, true
		}
		return fs.ErrPermission, !p.List && !p.Read // it does not show which files there are
	}
	return nil, false
}

// With a hold no operation touches what is published, whatever the permissions are,
// whose it is, and whether the session has begun before.
func TestHold(t *testing.T) {
	for p := range everyPermissions() {
		for _, at := range []standing{absent, foreign, own, pending, over, partial} {
			for _, r := range rules {
				s, events, possible := stand(t, p, at)
				if !possible {
					continue
				}
				lib := s.library
				s.Change(access.Options{Library: lib, Permissions: p, Hold: vfs.Hold{Always: true}})
				before, taken := look(t, lib, "f"), look(t, lib, "taken")
				count := len(*events)
				err, want := r.do(s.Session), r.rule(p, at)
				if held, ok := held(r.op, p, at); ok {
					want = held
				}
				what := fmt.Sprintf("%s of what is %s with %+v and a hold", r.op, at, p)
				if want == nil && err != nil || !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
				checkEvent(t, what, (*events)[count:], r.event, err)
				if now := look(t, lib, "f"); before != (vfs.Info{}) && now != before {
					t.Errorf("%s: it was %v and is %v", what, before, now)
				}
				if now := look(t, lib, "taken"); now != taken {
					t.Errorf("%s: the other file was %v and is %v", what, taken, now)
				}
			}
		}
	}
}

func look(t *testing.T, lib vfs.Library, name string) vfs.Info {
	t.Helper()
	i, err := lib.Stat(t.Context(), name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return i
}

// A hold that comes while a file is replaced keeps that file; new files come on, also by
// way of a client's temporary names; and it ends by its date.
func TestHoldOverTime(t *testing.T) {
	lib := vfstest.NewMemory()
	vfstest.Put(t, lib, "f", "first")
	all := vfs.Permissions{List: true, Read: true, Write: true, Overwrite: true, Rename: true, Delete: true}
	o := access.Options{Library: lib, Account: "ada", Permissions: all, Temporaries: access.NewTemporaries()}
	s := access.New(t.Context(), o)
	w, err := s.Create("f", access.Replace(0))
	if err != nil {
		t.Fatal(err)
	}
	set := func(h vfs.Hold) { o.Hold = h; s.Change(o) }
	set(vfs.Hold{Until: time.Now().Add(time.Hour)})
	if _, err := w.WriteAt([]byte("second"), 0); err != nil {
		t.Error(err)
	}
	if err := w.Commit(); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "held") {
		t.Errorf("CLOSE over a held file: %v", err)
	}
	for _, name := range []string{"new", "new.filepart", ".giosaveABCDEF"} {
		w, err := s.Create(name, access.Replace(0))
		if err == nil {
			_, err = w.WriteAt([]byte(name), 0)
		}
		if err == nil {
			err = w.Commit()
		}
		if err == nil && name != "new" {
			err = s.Rename(name, "from "+name, false)
		}
		if err != nil {
			t.Errorf("a new file as %s: %v", name, err)
		}
	}
	if err := s.Rename("new", "newer", false); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("rename of one's own: %v", err)
	}
	for _, name := range []string{"f", "new", "from new.filepart", "from .giosaveABCDEF"} {
		if look(t, lib, name) == (vfs.Info{}) {
			t.Errorf("%s is not there", name)
		}
	}
	set(vfs.Hold{Until: time.Now().Add(-time.Second)})
	if err := s.Remove("f"); err != nil {
		t.Errorf("when the hold is over: %v", err)
	}
}

// An upload that could replace nothing when it began may be renamed over a file before
// it is published; a hold that comes then is asked all the same.
func TestHoldAfterRenameOfUpload(t *testing.T) {
	lib := vfstest.NewMemory()
	vfstest.Put(t, lib, "f", "first")
	o := access.Options{Library: lib, Account: "ada", Permissions: everything(), Hold: vfs.Hold{Always: true}}
	s := access.New(t.Context(), o)
	set := func(h vfs.Hold) { o.Hold = h; s.Change(o) }
	w, err := s.Create("new", access.Replace(0))
	if err == nil {
		_, err = w.WriteAt([]byte("second"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	set(vfs.Hold{})
	if err := s.Rename("new", "f", true); err != nil {
		t.Fatal(err)
	}
	set(vfs.Hold{Always: true})
	before := look(t, lib, "f")
	if err := w.Commit(); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "held") {
		t.Errorf("CLOSE over a held file: %v", err)
	}
	if now := look(t, lib, "f"); now != before {
		t.Errorf("the held file was %v and is %v", before, now)
	}
}
