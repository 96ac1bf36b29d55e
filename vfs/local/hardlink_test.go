package local_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"shelf/vfs"
	"shelf/vfs/local"
)

// A local user links a file of another user into the library. The server, which
// may open it, showed it to clients, and chmod made it everybody's.
func TestHardLinksOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	d, path := openDir(t, local.Options{})
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, "secret")
	for _, err := range []error{os.Chmod(secret, 0o600), os.Chown(secret, 12345, 12345), os.Link(secret, filepath.Join(path, "linked"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	mode := vfs.Attr{HasMode: true, Mode: 0o666}
	for call, err := range map[string]error{
		"Stat":       failure(d.Stat(t.Context(), "linked")),
		"Open":       failure(d.Open(t.Context(), "linked")),
		"SetAttr":    failure(d.SetAttr(t.Context(), "linked", mode)),
		"Rename":     failure(d.Rename(t.Context(), "linked", "other", false)),
		"Remove":     d.Remove(t.Context(), "linked"),
		"Create":     failure(d.Create(t.Context(), "linked", vfs.CreateOptions{})),
		"Create new": failure(d.Create(t.Context(), "linked", vfs.CreateOptions{Create: true, Truncate: true})),
	} {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrName) {
			t.Errorf("%s: %v", call, err)
		}
	}
	for i, err := range d.List(t.Context()) {
		t.Errorf("listed: %v, %v", i.Name, err)
	}
	if i, err := os.Stat(secret); err != nil || i.Mode() != 0o600 {
		t.Errorf("the secret has mode %v, %v", i.Mode(), err)
	}

	// One that has no other name is a file like any, and so is a link of the server's.
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(path, "mine"), "mine")
	if err := os.Link(filepath.Join(path, "mine"), filepath.Join(path, "mine, too")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"linked", "mine", "mine, too"} {
		if _, err := d.Stat(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.Close()
	if err := os.Link(filepath.Join(path, "linked"), filepath.Join(path, "allowed")); err != nil {
		t.Fatal(err)
	}
	d = reopen(t, path, local.Options{AllowHardLinks: true})
	if _, err := d.Stat(t.Context(), "allowed"); err != nil {
		t.Error("where hard links are allowed:", err)
	}
}
