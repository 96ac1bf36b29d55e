package protected

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
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
	}
	err := denied(path, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission})
	for _, want := range []string{"permission denied; it belongs to " + owner + ", and the server runs as user ", "run as root: chown "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if err := denied(t.TempDir(), fs.ErrPermission); !strings.Contains(err.Error(), "restart the server") {
		t.Error(err)
	}
}
