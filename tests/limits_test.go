package tests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serveWith starts a server with the settings of a configuration file.
func serveWith(t *testing.T, toml string) *server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shelfd.toml")
	if err := os.WriteFile(file, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	return serve(t, "--config", file)
}

// TestLimitsOfUploads has each limit refuse an upload with a reason, early, and
// without a trace of it.
func TestLimitsOfUploads(t *testing.T) {
	need(t, "sftp")
	old := content(1, 100_000)
	for name, test := range map[string]struct{ toml, reason string }{
		"size":  {`max_file_size = "200kB"`, "limited to 200000 bytes"},
		"quota": {`quota = "240kB"`, "quota is used up"},
		"space": {`min_free_space = "1000TiB"`, "disk has no room"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveWith(t, test.toml)
			s.put(t, "file", old)
			large := filepath.Join(t.TempDir(), "large")
			writeRandom(t, large, 250_000)
			for _, name := range []string{"file", "new"} {
				out, err := sftpBatch(s, fmt.Sprintf("put %q %s\n", large, name)).CombinedOutput()
				if err == nil || !strings.Contains(string(out), test.reason) {
					t.Errorf("%v, sftp shows:\n%s", err, out)
				}
				s.mustForget(t, old)
			}
			if _, err := os.Stat(filepath.Join(s.library, "new")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a part of the new file is there (%v)", err)
			}
		})
	}
}

// TestMaxOpenFiles opens one file too many, and then one again.
func TestMaxOpenFiles(t *testing.T) {
	s := serveWith(t, "max_open_files = 3")
	s.put(t, "file", content(1, 10))
	c := s.dial(t)
	first, err := c.Open("file")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.Open("file"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Open("file"); err == nil || !strings.Contains(err.Error(), "may have 3") {
		t.Errorf("the fourth file: %v", err)
	}
	if _, err := c.Create("new"); err == nil {
		t.Error("a fourth, to write, can be opened")
	}
	first.Close()
	if _, err := c.Open("file"); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
}

// TestNoFsync has uploads acknowledged without a wait for the disk.
func TestNoFsync(t *testing.T) {
	s := serveWith(t, `durability = "none"`)
	c := s.dial(t)
	end := s.strace(t, "-e", "trace=fsync,fdatasync,sync_file_range,renameat,renameat2,linkat")
	if err := c.upload("file", content(1, 100_000)); err != nil {
		t.Fatal(err)
	}
	published := false
	for _, e := range end() {
		published = published || strings.HasPrefix(e.name, "rename") || e.name == "linkat"
		if strings.Contains(e.name, "sync") {
			t.Errorf("with durability none: %+v", e)
		}
	}
	if !published {
		t.Error("the trace does not show how the file was published")
	}
}
