package access_test

import (
	"errors"
	"io/fs"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// Old versions take a permission of their own, and no other gives it; with it alone a
// file is replaced by its older self, unless it is held. Each try has its event.
func TestRestore(t *testing.T) {
	others := vfs.Permissions{List: true, Read: true, Write: true, Overwrite: true, Rename: true, Delete: true}
	for _, c := range []struct {
		name   string
		rights vfs.Permissions
		hold   bool
		gone   bool // the file was removed
		want   error
	}{
		{"without the permission", others, false, false, fs.ErrPermission},
		{"with it alone", vfs.Permissions{Restore: true}, false, false, nil},
		{"of a removed file", vfs.Permissions{Restore: true}, false, true, nil},
		{"over a held file", vfs.Permissions{Restore: true}, true, false, fs.ErrPermission},
		{"of a removed file, with a hold", vfs.Permissions{Restore: true}, true, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			lib := vfstest.NewHistory()
			vfstest.Put(t, lib, "f", "first")
			vfstest.Put(t, lib, "f", "second")
			if c.gone {
				if err := lib.Remove(t.Context(), "f"); err != nil {
					t.Fatal(err)
				}
			}
			var events []vfs.Event
			s := access.New(t.Context(), access.Options{
				Library: lib, LibraryName: "lib", Account: "ada", Permissions: c.rights, Hold: vfs.Hold{Always: c.hold},
				Report: func(e vfs.Event) error { events = append(events, e); return nil },
			})
			all, err := lib.Versions(t.Context(), "f")
			if err != nil {
				t.Fatal(err)
			}
			first := all[len(all)-1]
			seen, err := s.Versions("f")
			if want := c.want; c.rights.Restore && err != nil || !c.rights.Restore && !errors.Is(err, want) || err == nil && len(seen) != len(all) {
				t.Errorf("versions: %v, %v", seen, err)
			}
			before := look(t, lib, "f")
			change, err := s.Restore("f", first.ID)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			now := look(t, lib, "f")
			switch {
			case err != nil && now != before:
				t.Errorf("it was %+v and is %+v", before, now)
			case err == nil && (now.Size != 5 || change.After != now || change.Replaced != before):
				t.Errorf("it is %+v; Restore says %+v", now, change)
			}
			if len(events) != 2 || events[0].Op != "versions" || events[1].Op != "restore" || events[1].Restored != first.ID || events[1].Name != "f" {
				t.Fatalf("reported %+v", events)
			}
			if e := events[1]; err == nil && (e.File == nil || e.File.Version != now.Version || (e.Replaced == nil) != c.gone || e.New != c.gone) {
				t.Errorf("reported %+v", e)
			}
			if _, err := s.Restore("f", "9"); c.rights.Restore && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("one that there is not: %v", err)
			}
			if _, err := s.Versions("nothing"); c.rights.Restore && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("versions of nothing: %v", err)
			}
		})
	}
	s := access.New(t.Context(), access.Options{Library: vfstest.NewFaulty(noHistory{vfstest.NewMemory()}), Permissions: vfs.Permissions{Restore: true}})
	if _, err := s.Restore("f", "1"); !errors.Is(err, vfs.ErrUnsupported) {
		t.Errorf("a library without versions: %v", err)
	}
}

// noHistory is a library that can't.
type noHistory struct{ vfs.Library }
