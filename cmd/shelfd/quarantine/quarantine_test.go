package quarantine

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quarantine")
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keep := func(library, name, text string, max int64) (Item, []Item, error) {
		return f.Keep(Item{Library: library, Account: "ada", Name: name, Size: int64(len(text)), Reason: "\x1b"}, strings.NewReader(text), max)
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
