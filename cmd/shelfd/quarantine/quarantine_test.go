package quarantine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quarantine")
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keep := func(library, name, text string, max int64) (Item, []Item, error) {
		return f.Keep(t.Context(), Item{Library: library, Account: "ada", Name: name, Size: int64(len(text)), Reason: "\x1b"}, strings.NewReader(text), max)
	}
	one, _, err := keep("in", "one", "hello", 12)
	if err != nil || one.SHA256 != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" || one.Size != 5 {
		t.Fatal(one, err)
	}
	two, _, err := keep("in", "two", "world!", 12)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := keep("other", "three", "12345678", 12); err != nil { // has room of its own
		t.Fatal(err)
	}
	if all, err := f.List(); err != nil || len(all) != 3 || all[0] != one || all[1] != two {
		t.Errorf("%+v, %v", all, err)
	}
	if i, err := os.Stat(filepath.Join(path, one.ID+content)); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i, err)
	}
	i, file, err := f.Open(two.ID)
	if err != nil || i != two {
		t.Fatal(i, err)
	}
	defer file.Close()
	if text, err := io.ReadAll(file); err != nil || string(text) != "world!" {
		t.Errorf("%q, %v", text, err)
	}

	// The oldest goes first, and none for what has no room at all.
	if _, dropped, err := keep("in", "large", "1234567890123", 12); err == nil || len(dropped) > 0 {
		t.Errorf("larger than all: dropped were %v, %v", dropped, err)
	}
	four, dropped, err := keep("in", "four", "123456", 12)
	if err != nil || len(dropped) != 1 || dropped[0] != one {
		t.Errorf("dropped were %v, %v", dropped, err)
	}
	if i, err := f.Drop(two.ID); err != nil || i != two {
		t.Errorf("%v, %v", i, err)
	}
	for _, id := range []string{one.ID, two.ID, "", "../x", "../../etc/passwd", strings.ToLower(four.ID)} {
		if i, err := f.Drop(id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v, %v", id, i, err)
		}
		if i, _, err := f.Open(id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v, %v", id, i, err)
		}
	}
	if left, err := os.ReadDir(path); err != nil || len(left) != 4 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestSweep has Open remove what a server that was killed has left, if it is old.
func TestSweep(t *testing.T) {
	path := t.TempDir()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	whole, _, err := f.Keep(t.Context(), Item{Library: "in", Name: "a", Size: 1}, strings.NewReader("x"), 10)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	id := func(letter string) string { return strings.Repeat(letter, 26) }
	old := []string{id("A") + content, id("B") + content, id("B") + known, id("C") + written, id("C") + content}
	for _, name := range append(old, id("D")+content, "notes.content") {
		if err := os.WriteFile(filepath.Join(path, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range append(old, whole.ID+content, whole.ID+known, "notes.content") {
		long := time.Now().Add(-2 * orphaned)
		if err := os.Chtimes(filepath.Join(path, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	if f, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	left, err := os.ReadDir(path)
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	want := []string{id("D") + content, "notes.content", whole.ID + content, whole.ID + known}
	slices.Sort(want)
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("left are %q, %v; want %q", names, err, want)
	}
}

// TestNobodyWaitsForACopy drops and keeps others while a file is copied, which counts
// already, and ends that.
func TestNobodyWaitsForACopy(t *testing.T) {
	path := t.TempDir()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keep := func(ctx context.Context, size int64, from io.Reader) (Item, error) {
		i, _, err := f.Keep(ctx, Item{Library: "in", Size: size}, from, 10)
		return i, err
	}
	from, to := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() {
		_, err := keep(ctx, 8, from)
		from.Close() // who writes is not to wait for ever
		ended <- err
	}()
	to.Write([]byte("half")) // it is being copied
	other, err := keep(t.Context(), 2, strings.NewReader("ab"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keep(t.Context(), 3, strings.NewReader("abc")); err == nil {
		t.Error("what is being copied does not count")
	}
	if _, err := f.Drop(other.ID); err != nil {
		t.Error(err)
	}
	cancel()
	to.Write([]byte("mor"))
	if err := <-ended; err == nil {
		t.Error("it was kept, though nobody waits")
	}
	if _, err := keep(t.Context(), 10, strings.NewReader("0123456789")); err != nil {
		t.Errorf("there is no room after that: %v", err)
	}
	if left, err := os.ReadDir(path); err != nil || len(left) != 2 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestManySmallFiles keeps no more than so many, however small they are.
func TestManySmallFiles(t *testing.T) {
	path := t.TempDir()
	f := mustOpen(t, path)
	defer f.Close()
	oldest := "A" + strings.Repeat("Z", 25)
	for n := range maxRefused {
		id := oldest
		if n > 0 {
			id = rand.Text()
		}
		text, err := json.Marshal(Item{ID: id, Library: "in", Time: time.Unix(int64(n), 0)})
		if err == nil {
			err = os.WriteFile(filepath.Join(path, id+known), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, dropped, err := f.Keep(t.Context(), Item{Library: "in", Size: 1}, strings.NewReader("x"), 1<<30)
	if err != nil || len(dropped) != 1 || dropped[0].ID != oldest {
		t.Errorf("dropped were %d, %v", len(dropped), err)
	}
}
