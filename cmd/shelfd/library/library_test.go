package library

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelf/cmd/shelfd/config"
	"shelf/vfs"
	"shelf/vfs/vfstest"
)

// configured is settings with libraries at paths in a folder.
func configured(t *testing.T, folder string, paths map[string]string) config.Settings {
	t.Helper()
	s := config.Defaults()
	s.State, s.AllowRoot = t.TempDir(), true
	s.Libraries = make(map[string]config.Library)
	for name, path := range paths {
		s.Libraries[name] = config.Library{Path: filepath.Join(folder, path)}
	}
	return s
}

func newSet(t *testing.T, s config.Settings) *Set {
	t.Helper()
	set := New(s, slog.New(slog.DiscardHandler), nil)
	t.Cleanup(set.Close)
	return set
}

func (s *Set) mustOpen(t *testing.T, name, account string) (vfs.Library, func()) {
	t.Helper()
	source, err := s.Source(name, account)
	if err != nil {
		t.Fatal(err)
	}
	l, release, err := source.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return l, release
}

func put(l vfs.Library, name string, size int) error {
	return vfstest.TryPut(context.Background(), l, name, make([]byte, size), vfs.CreateOptions{})
}

// Each account has a folder of its own, which is made when it is first needed, is
// shared by the account's sessions, and is closed when nobody uses it.
func TestLibraryOfAnAccount(t *testing.T) {
	folder := t.TempDir()
	s := configured(t, folder, map[string]string{"in": "%u/in"})
	set := newSet(t, s)
	if faults := set.Open(); len(faults) > 0 {
		t.Fatal(faults)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("made before it is needed: %v, %v", entries, err)
	}
	first, leave := set.mustOpen(t, "in", "acme")
	second, leaveToo := set.mustOpen(t, "in", "acme")
	other, leaveOther := set.mustOpen(t, "in", "bolt")
	defer leaveOther()
	if first != second || first == other {
		t.Error("the library of an account is not one")
	}
	for _, path := range []string{"acme", "acme/in", "bolt/in"} {
		if i, err := os.Stat(filepath.Join(folder, path)); err != nil || i.Mode().Perm() != 0o750 {
			t.Errorf("%s: %v, %v", path, i, err)
		}
	}
	leave()
	set.Tend(time.Now().Add(2 * idleFor))
	if err := put(first, "f", 1); err != nil {
		t.Errorf("it was closed while it is used: %v", err)
	}
	leaveToo()
	set.Tend(time.Now().Add(2 * idleFor))
	if n := len(set.Status()); n != 1 {
		t.Errorf("%d are open, want the other account's", n)
	}
	if again, leave := set.mustOpen(t, "in", "acme"); again == first {
		t.Error("it was not closed")
	} else if _, err := again.Stat(context.Background(), "f"); err != nil {
		t.Error(err)
	} else {
		leave()
	}
	for _, name := range []string{"", ".", "..", "../x", "a/b", ".shelf"} {
		if _, err := set.Source("in", name); err == nil {
			t.Errorf("an account %q has a folder", name)
		}
	}
}

// Whoever can make links below the prefix leads nobody out of it.
func TestLibraryStaysBelowItsPrefix(t *testing.T) {
	folder, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(folder, "acme")); err != nil {
		t.Fatal(err)
	}
	set := newSet(t, configured(t, folder, map[string]string{"in": "%u/in"}))
	source, err := set.Source("in", "acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := source.Open(context.Background()); err == nil {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside there is %v, %v", entries, err)
	}
}

// A library that is not there keeps no other from being served, and is served when
// it is there.
func TestLibraryComesBack(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "good"), 0o700); err != nil {
		t.Fatal(err)
	}
	set := newSet(t, configured(t, folder, map[string]string{"good": "good", "bad": "bad"}))
	faults := set.Open()
	if len(faults) != 1 || !errors.Is(faults["bad"], fs.ErrNotExist) {
		t.Fatal(faults)
	}
	if _, leave := set.mustOpen(t, "good", ""); leave != nil {
		leave()
	}
	status := set.Status()
	if len(status) != 2 || status[0].Err == nil || status[0].Library != nil || status[1].Err != nil || status[1].Library == nil {
		t.Errorf("the status is %+v", status)
	}
	if err := os.Mkdir(filepath.Join(folder, "bad"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, h := range set.all() {
		h.change(set.settings.AllLibraries()["bad"]) // forgets when it was tried
	}
	set.Tend(time.Now())
	if err := set.Status()[0].Err; err != nil {
		t.Error(err)
	}
	// Another folder in its place, as of a disk that is mounted anew.
	library, leave := set.mustOpen(t, "bad", "")
	defer leave()
	if err := errors.Join(os.Rename(filepath.Join(folder, "bad"), filepath.Join(folder, "old")), os.Mkdir(filepath.Join(folder, "bad"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, h := range set.all() {
		h.mu.Lock()
		h.tried = time.Time{}
		h.mu.Unlock()
	}
	set.Tend(time.Now())
	again, leaveToo := set.mustOpen(t, "bad", "")
	defer leaveToo()
	if again == library {
		t.Error("the folder that is gone is still served")
	}
	if err := errors.Join(put(again, "new", 1), put(library, "old", 1)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "bad", "new")); err != nil {
		t.Error(err)
	}
}

// A reload opens libraries, closes those that are gone when nobody uses them, and
// changes the settings of those that stay, for those who use them too.
func TestChange(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	before := configured(t, folder, map[string]string{"a": "a", "b": "b"})
	set := newSet(t, before)
	set.Open()
	stays, leave := set.mustOpen(t, "a", "")
	defer leave()
	goes, leaveGone := set.mustOpen(t, "b", "")
	if err := put(stays, "f", 100<<10); err != nil {
		t.Fatal(err)
	}
	after := configured(t, folder, map[string]string{"a": "a", "c": "c"})
	after.Quota.Bytes = 64 << 10
	if faults := set.Change(after); len(faults) > 0 {
		t.Error(faults)
	}
	if err := put(stays, "g", 100<<10); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("the quota does not count: %v", err)
	}
	if err := put(goes, "f", 1); err != nil {
		t.Errorf("it is gone and used, and was closed: %v", err)
	}
	if _, err := set.Source("b", ""); err == nil {
		t.Error("a library that is gone is served to others")
	}
	leaveGone()
	set.Tend(time.Now())
	var open []string
	for _, one := range set.Status() {
		open = append(open, fmt.Sprint(filepath.Base(one.Path), one.Err))
	}
	if got := strings.Join(open, ", "); got != "a<nil>, c<nil>" {
		t.Errorf("open are %s", got)
	}
}

// A library that gets another name is the same, with its new settings, and one that
// can't be made for accounts any more is told of.
func TestChangeOfName(t *testing.T) {
	folder := t.TempDir()
	set := newSet(t, configured(t, folder, map[string]string{"a": "%u"}))
	set.Open()
	was, leave := set.mustOpen(t, "a", "ada")
	leave()
	after := configured(t, folder, map[string]string{"b": "%u", "c": "nowhere/%u"})
	after.Quota.Bytes = 64 << 10
	if faults := set.Change(after); len(faults) != 1 || !errors.Is(faults["c"], fs.ErrNotExist) {
		t.Errorf("wrong is %v", faults)
	}
	now, leave := set.mustOpen(t, "b", "ada")
	defer leave()
	if now != was {
		t.Error("it was closed")
	}
	if err := put(now, "f", 100<<10); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("the quota does not count: %v", err)
	}
	if status := set.Status(); len(status) != 1 || status[0].Name != "b" {
		t.Errorf("the status is %+v", status)
	}
}

// What lies beside the folders of accounts is not counted, and does no harm.
func TestOwnersOfAccounts(t *testing.T) {
	folder := t.TempDir()
	set := newSet(t, configured(t, folder, map[string]string{"in": "%u/in"}))
	ada, leave := set.mustOpen(t, "in", "ada")
	defer leave()
	if err := errors.Join(put(ada, "f", 5000), os.WriteFile(filepath.Join(folder, "README"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	all, err := set.Owners(t.Context(), "in")
	if err != nil || len(all) != 1 || all["ada"] != (vfs.UsageInfo{Bytes: 5000, Files: 1}) {
		t.Errorf("got %v, %v", all, err)
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		folder, path string
		want         bool
	}{
		{"/srv", "/srv/a", true}, {"/srv", "/srv", true}, {"/srv/a", "/srv", false}, {"/srv/a", "/srv/ab", false},
		{"/srv/%u", "/srv/ada", true}, {"/srv/%u/in", "/srv/%u/out", false}, {"/srv/%u", "/srv/%u/in", true},
		{"/srv/x-%u/in", "/srv/ada/in/f", true}, {"/srv/a", "/srv/%u", true}, {"/", "/srv", true},
	} {
		if got := Within(c.folder, c.path); got != c.want {
			t.Errorf("%s in %s: %v", c.path, c.folder, got)
		}
	}
}
