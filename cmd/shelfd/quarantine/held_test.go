package quarantine

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// TestHeld keeps an upload, changes what is known of it, and refuses it.
func TestHeld(t *testing.T) {
	path := t.TempDir()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	item := func(id, text string) Item {
		return Item{ID: strings.Repeat(id, 26), Library: "in", Name: "a", Size: int64(len(text)), Held: &Held{From: vfs.Origin{Conn: "C"}}}
	}
	add := func(ctx context.Context, id, says, text string) (Item, error) {
		return f.Add(ctx, item(id, says), strings.NewReader(text))
	}
	one, err := add(t.Context(), "A", "hello", "hello")
	if err != nil || !f.Owned(one) {
		t.Fatal(one, err)
	}
	// What is short, or whose client has gone, is not kept.
	if _, err := add(t.Context(), "B", "hello", "hell"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := add(gone, "C", "hello", "hello"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// It does not give room to what is refused.
	if _, dropped, err := f.Keep(t.Context(), Item{Library: "in", Name: "b", Size: 5}, strings.NewReader("12345"), 5); err != nil || len(dropped) > 0 {
		t.Error(dropped, err)
	}
	one.Name = "renamed"
	if err := f.Update(one); err != nil {
		t.Error(err)
	}
	if i, _, err := f.Open(one.ID); err != nil || i.Name != "renamed" || i.Held.From.Conn != "C" {
		t.Errorf("%+v, %v", i, err)
	}
	dropped, err := f.Refuse(one, "evil", 5)
	if err != nil || len(dropped) != 1 || dropped[0].Name != "b" {
		t.Errorf("%v, %v", dropped, err)
	}
	i, _, err := f.Open(one.ID)
	if err != nil || i.Held != nil || i.Reason != "evil" || i.SHA256 != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" || one.Held == nil {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := f.Refuse(i, "evil", 4); err == nil {
		t.Error("it was refused into less room than it takes")
	}
}

// TestAdopt takes what a server has left that is gone: by a crash or in order. What
// belongs to one that lives stays.
func TestAdopt(t *testing.T) {
	for _, crash := range []bool{false, true} {
		path := t.TempDir()
		first, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := first.Adopt(); err != nil || len(all) > 0 {
			t.Errorf("%v, %v", all, err)
		}
		if left, _ := os.ReadDir(path); len(left) > 0 {
			t.Errorf("there are %v", left)
		}
		i, err := first.Add(t.Context(), Item{ID: strings.Repeat("A", 26), Size: 1, Held: new(Held)}, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		second, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		if all, err := second.Adopt(); err != nil || len(all) > 0 || second.Owned(i) {
			t.Errorf("while the first lives: %v, %v", all, err)
		}
		if crash {
			// As the kernel does when a process ends. What Update has left half done is there.
			first.owned[first.self].Close()
			delete(first.owned, first.self)
			os.WriteFile(filepath.Join(path, i.ID+written), []byte("{"), 0o600)
		} else {
			first.Close()
		}
		if all, err := second.Adopt(); err != nil || len(all) != 1 || !second.Owned(all[0]) {
			t.Errorf("after it: %v, %v", all, err)
		}
		if all, err := second.Adopt(); err != nil || len(all) > 0 {
			t.Errorf("once more: %v, %v", all, err)
		}
		if locks, _ := filepath.Glob(filepath.Join(path, "*"+alive)); len(locks) != 1 {
			t.Errorf("there are %q", locks)
		}
	}
}

// TestAdoptAfterHandover has the old server get its first upload when the new one has
// looked already, and end before that looks again.
func TestAdoptAfterHandover(t *testing.T) {
	path := t.TempDir()
	first, second := mustOpen(t, path), mustOpen(t, path)
	if all, err := second.Adopt(); err != nil || len(all) > 0 {
		t.Fatal(all, err)
	}
	i, err := first.Add(t.Context(), Item{ID: strings.Repeat("A", 26), Size: 1, Held: new(Held)}, strings.NewReader("x"))
	if err = errors.Join(err, first.Close()); err != nil {
		t.Fatal(err)
	}
	if all, err := second.Adopt(); err != nil || len(all) != 1 || !second.Owned(i) {
		t.Errorf("%v, %v", all, err)
	}
	_, err = second.Drop(i.ID)
	if left := errors.Join(err, second.Close()); left != nil {
		t.Error(left)
	}
	if left, err := os.ReadDir(path); err != nil || len(left) != 1 || left[0].Name() != look {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestAdoptWritesNothing takes what thousands may wait with, at a start, and does not
// write a file for each. It may be the copy of a backup, without locks.
func TestAdoptWritesNothing(t *testing.T) {
	path := t.TempDir()
	first := mustOpen(t, path)
	i, err := first.Add(t.Context(), Item{ID: strings.Repeat("A", 26), Size: 1, Held: new(Held)}, strings.NewReader("x"))
	if err = errors.Join(err, first.Close(), os.Remove(filepath.Join(path, first.self+alive))); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(filepath.Join(path, i.ID+known))
	if err != nil {
		t.Fatal(err)
	}
	second := mustOpen(t, path)
	defer second.Close()
	if all, err := second.Adopt(); err != nil || len(all) != 1 || !second.Owned(i) {
		t.Errorf("%v, %v", all, err)
	}
	after, err := os.Stat(filepath.Join(path, i.ID+known))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("it was written anew: %v", err)
	}
}

func mustOpen(t *testing.T, path string) *Folder {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestDropIsSynced has the removal of an item be on disk before Drop returns.
func TestDropIsSynced(t *testing.T) {
	f := mustOpen(t, t.TempDir())
	defer f.Close()
	i, err := f.Add(t.Context(), Item{ID: strings.Repeat("A", 26), Size: 1, Held: new(Held)}, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	there := []bool{true}
	f.sync = func() error {
		_, _, err := f.Open(i.ID)
		there = append(there, err == nil)
		return f.dir.Sync()
	}
	if _, err := f.Drop(i.ID); err != nil || there[len(there)-1] {
		t.Errorf("%v, when it was synced it was there: %v", err, there)
	}
}

// TestNobodyWaitsForRoom keeps an upload while another that was refused waits for a disk
// which does not answer.
func TestNobodyWaitsForRoom(t *testing.T) {
	path := t.TempDir()
	f := mustOpen(t, path)
	defer f.Close()
	item := func(id string) Item { return Item{ID: strings.Repeat(id, 26), Library: "in", Size: 1, Held: new(Held)} }
	one, err := f.Add(t.Context(), item("A"), strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	slow := filepath.Join(path, strings.Repeat("B", 26)+known)
	if err := unix.Mkfifo(slow, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error)
	go func() {
		_, err := f.Refuse(one, "evil", 10)
		refused <- err
	}()
	to, err := os.OpenFile(slow, os.O_WRONLY, 0) // returns when it is read
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Add(t.Context(), item("C"), strings.NewReader("x")); err != nil {
		t.Error(err)
	}
	os.Remove(slow) // no list is to read it again
	to.Close()
	if err := <-refused; err != nil {
		t.Error(err)
	}
}
