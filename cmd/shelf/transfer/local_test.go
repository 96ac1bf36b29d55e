package transfer

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What is put is a regular file when it is opened, and what came from a folder
// no link by then; nothing waits for the other end of a FIFO.
func TestOpenLocal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("file"), at("link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(at("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		flags int
		ok    bool
	}{
		{"file", 0, true}, {"link", 0, true}, {"fifo", 0, false}, {"", 0, false},
		{"file", openNoLink, true}, {"link", openNoLink, false}, {"fifo", openNoLink, false},
	} {
		f, info, err := openLocal(at(row.name), row.flags)
		if (err == nil) != row.ok || row.ok && info.Size() != 1 {
			t.Errorf("%q with flags %#x: %v", row.name, row.flags, err)
		}
		if f != nil {
			f.Close()
		}
	}
}
