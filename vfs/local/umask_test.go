package local_test

import (
	"io/fs"
	"testing"

	"shelf/vfs"
	"shelf/vfs/local"
)

// A new file gets the mode that is asked for, less the umask, as from OpenSSH's
// server; what is set on purpose is set.
func TestUmaskOfNewFiles(t *testing.T) {
	d, _ := openDir(t, local.Options{Umask: 0o027})
	has := func(name string, want fs.FileMode) {
		t.Helper()
		if i, err := d.Stat(t.Context(), name); err != nil || i.Mode != want {
			t.Errorf("%s has mode %v, %v; want %v", name, i.Mode, err, want)
		}
	}
	put(t, d, "asked", 1, vfs.CreateOptions{Create: true, Mode: 0o666}, commit)
	has("asked", 0o640)
	put(t, d, "not asked", 1, create, commit)
	has("not asked", 0o640)
	put(t, d, "owner", 1, vfs.CreateOptions{Create: true, Mode: 0o444}, commit)
	has("owner", 0o640)
	if _, err := d.SetAttr(t.Context(), "asked", vfs.Attr{HasMode: true, Mode: 0o666}); err != nil {
		t.Fatal(err)
	}
	has("asked", 0o666)
	put(t, d, "asked", 1, vfs.CreateOptions{Create: true, Truncate: true, Mode: 0o600}, commit)
	has("asked", 0o666)
}
