package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// GNOME's Files, its editors and gio use GVFS, which replaces a file by way of a
// temporary one: .giosaveXXXXXX is created EXCL, written and closed, the target is
// looked at, removed (or renamed to target~, for a backup), and the temporary
// one renamed to it. Those who mount by GVFS's FUSE do the same unknowingly.

// mayReplace are the permissions with which everything here must work: the
// default, which replaces and does not delete, and all.
var mayReplace = []string{"editor", "admin"}

// TestGNOMESaves replaces files with gio: none could be, not even by an account
// that may delete.
func TestGNOMESaves(t *testing.T) {
	for _, permissions := range mayReplace {
		t.Run(permissions, func(t *testing.T) {
			t.Parallel()
			s := servePermitting(t, permissions)
			s.put(t, "copied", []byte("old"))
			s.put(t, "saved", []byte("old"))
			s.put(t, "moved", []byte("old"))
			s.put(t, "backed", []byte("old"))
			s.gnome(t, `
				gio copy one sftp://shelf/new
				gio copy one sftp://shelf/copied
				gio save sftp://shelf/saved < one
				gio save sftp://shelf/saved < two
				gio move two sftp://shelf/moved
				gio save --backup sftp://shelf/backed < one`)
			for name, want := range map[string]string{"new": "one", "copied": "one", "saved": "two", "moved": "two", "backed": "one", "backed~": "old"} {
				if got, err := os.ReadFile(filepath.Join(s.library, name)); string(got) != want {
					t.Errorf("%s holds %q, want %q: %v", name, got, want, err)
				}
			}
			s.holdsNothingElse(t, "new", "copied", "saved", "moved", "backed", "backed~")
		})
	}
}

// TestGNOMEMount works in GVFS's mount, as programs do that know nothing of GNOME
// and are started from Files.
func TestGNOMEMount(t *testing.T) {
	need(t, "fusermount3")
	need(t, "/usr/libexec/gvfsd-fuse")
	for _, permissions := range mayReplace {
		t.Run(permissions, func(t *testing.T) {
			s := servePermitting(t, permissions)
			for _, name := range []string{"copied", "written", "appended", "renamed"} {
				s.put(t, name, []byte("old\n"))
			}
			out := s.gnome(t, `
				/usr/libexec/gvfsd-fuse -f "$XDG_RUNTIME_DIR/gvfs" &
				trap 'fusermount3 -u -z "$XDG_RUNTIME_DIR/gvfs"' EXIT
				mounted="$XDG_RUNTIME_DIR/gvfs/sftp:host=shelf"
				for i in $(seq 100); do
					[ ! -e "$mounted/copied" ] || break
					kill -0 $! || { echo no FUSE; exit 0; }
					sleep 0.1
				done
				cp one "$mounted/new"
				cp two "$mounted/copied"
				echo again > "$mounted/written"
				echo more >> "$mounted/appended"
				echo draft > "$mounted/renamed.part"
				mv "$mounted/renamed.part" "$mounted/renamed"`)
			if strings.Contains(out, "no FUSE") {
				t.Skip("nothing can be mounted here: " + out)
			}
			for name, want := range map[string]string{"new": "one", "copied": "two", "written": "again\n", "appended": "old\nmore\n", "renamed": "draft\n"} {
				if got := string(s.get(t, name)); got != want {
					t.Errorf("%s holds %q, want %q", name, got, want)
				}
			}
			s.holdsNothingElse(t, "new", "copied", "written", "appended", "renamed")
		})
	}
}

// gnome runs a shell script in a session of D-Bus in which the server is mounted
// by GVFS as sftp://shelf/. The files one and two hold these words.
func (s *server) gnome(t *testing.T, script string) (output string) {
	t.Helper()
	for _, program := range []string{"dbus-run-session", "gio", "ssh", "/usr/libexec/gvfsd-sftp"} {
		need(t, program)
	}
	// The name is short: a socket lies in it, whose path may have 107 bytes.
	dir, err := os.MkdirTemp("", "gnome")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	// GVFS runs the ssh that it finds, which looks for its configuration in the
	// home that the system knows of, whatever HOME says.
	ssh, err := exec.LookPath("ssh")
	must(t, err, os.Mkdir(filepath.Join(dir, "bin"), 0o755), os.MkdirAll(filepath.Join(dir, "run", "gvfs"), 0o700), os.Chmod(filepath.Join(dir, "run"), 0o700),
		os.WriteFile(filepath.Join(dir, "bin", "ssh"), []byte("#!/bin/sh\nexec "+ssh+" -F "+s.config+" \"$@\"\n"), 0o755),
		os.WriteFile(filepath.Join(dir, "one"), []byte("one"), 0o644), os.WriteFile(filepath.Join(dir, "two"), []byte("two"), 0o644))
	succeed(t, sftpBatch(s, "pwd\n")) // learns the host key
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dbus-run-session", "--", "bash", "-c", "gio mount sftp://shelf/ < /dev/null || exit\n"+script)
	cmd.WaitDelay = patience / 4
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"),
		"GIO_USE_VOLUME_MONITOR=unix", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", regexp.MustCompile(`(?m)^dbus-daemon.*\n`).ReplaceAll(out, nil))
	if err != nil {
		t.Errorf("the last of these commands: %v", err)
	}
	return string(out)
}

// holdsNothingElse fails the test for every other name in the library and for
// every upload that is left of it.
func (s *server) holdsNothingElse(t *testing.T, names ...string) {
	t.Helper()
	s.holdsNothingVisible(t, names...)
	eventually(t, "no upload is left", func() bool { return len(s.stages(t)) == 0 })
}
