package socket

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder is one whose path leaves room for the name of a socket.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "socket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestTakeover: a socket takes the place of another one, which then leaves the file alone.
func TestTakeover(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "s")
	if is, err := Answers(path); is || err != nil {
		t.Errorf("nobody is there: %v, %v", is, err)
	}
	first, err := Listen(path, 0o620)
	if err != nil {
		t.Fatal(err)
	}
	if i, err := os.Lstat(path); err != nil || i.Mode() != fs.ModeSocket|0o620 {
		t.Errorf("the file is %v, %v", i.Mode(), err)
	}
	if is, err := Answers(path); !is || err != nil {
		t.Errorf("the first is there: %v, %v", is, err)
	}
	if first.IsTaken() {
		t.Error("nobody has taken it")
	}
	second, err := Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if !first.IsTaken() || second.IsTaken() {
		t.Error("the second has taken it")
	}
	first.Close()
	if is, err := Answers(path); !is || err != nil {
		t.Errorf("the second is there: %v, %v", is, err)
	}
	second.UnixListener.Close() // as a crash leaves it
	if is, err := Answers(path); is || err != nil {
		t.Errorf("nobody answers: %v, %v", is, err)
	}
	second.Close()
	if all, err := os.ReadDir(dir); err != nil || len(all) > 0 {
		t.Errorf("left are %v, %v", all, err)
	}
}

// TestNoSocket leaves a file alone that is no socket.
func TestNoSocket(t *testing.T) {
	path := filepath.Join(folder(t), "s")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, 0o600); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Error(err)
	}
	if _, err := Answers(path); err == nil {
		t.Error("it is no socket")
	}
	if text, err := os.ReadFile(path); string(text) != "mine" {
		t.Error(text, err)
	}
}

// TestLongPath answers at a path that is longer than the address of a socket may be.
func TestLongPath(t *testing.T) {
	dir := filepath.Join(folder(t), strings.Repeat("long", 40))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(filepath.Join(dir, "s"), 0o600)
	if err != nil {
		if strings.Contains(err.Error(), "too long for a socket") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Dial(t.Context(), filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
