package vfstest

import (
	"context"
	"errors"
	"os"
	"testing"

	"shelf/vfs"
)

// Put publishes a file for a test that begins with it.
func Put(t testing.TB, l vfs.Library, name, text string) {
	t.Helper()
	if err := TryPut(t.Context(), l, name, []byte(text), vfs.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TryPut publishes a file, unless the library refuses it. Whatever has the name is
// replaced.
func TryPut(ctx context.Context, l vfs.Library, name string, content []byte, o vfs.CreateOptions) error {
	o.Create, o.Truncate = true, true
	u, err := l.Create(ctx, name, o)
	if err != nil {
		return err
	}
	if _, err := u.WriteAt(content, 0); err != nil {
		return errors.Join(err, u.Abort())
	}
	_, err = u.Commit(ctx)
	return err
}

// OpenFile makes a file on the disk, and opens it until the test ends.
func OpenFile(t testing.TB, path, text string) *os.File {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
