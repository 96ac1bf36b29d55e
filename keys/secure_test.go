package keys

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who may not read a file is told whose it is, and how to change that.
func TestDenied(t *testing.T) {
	path, owner := "/", "root"
	if os.Geteuid() == 0 {
		path, owner = filepath.Join(t.TempDir(), "key"), "user 12345"
		if err := put(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
	}
	err := denied(path, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission})
	wantReason(t, err, "permission denied; it belongs to "+owner+", and the server runs as user ")
	if !strings.Contains(err.Error(), "run as root: chown ") {
		t.Errorf("%v does not say what to do", err)
	}
	own := t.TempDir()
	wantReason(t, denied(own, fs.ErrPermission), "restart the server")
}
