//go:build unix

package tests

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
)

// realFile is the one file of a planted library that is part of it.
const realFile = "real.txt"

// planted are the names under which plant puts what no client may reach.
var planted = []string{
	"sub",           // a directory
	"sub/inner.txt", // a file in it
	"link-out",      // a link to a file outside the library
	"link-in",       // a link to a file of the library
	"link-folder",   // a link to a directory outside
	"link-dangling", // a link to a file outside that is not there yet
	"fifo",
	"socket",
	".hidden",
	"new\nline",
	"esc\x1b[2Jape",
	"bad\xff\xfeutf-8",
	".shelf", // the server's own folder
}

// plant fills a library with all that is in planted, and the folder outside
// with what the links lead to.
func plant(t *testing.T, library, outside string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(library, name) }
	out := func(name string) string { return filepath.Join(outside, name) }
	secret := []byte("not for clients\n")
	for _, err := range []error{
		os.WriteFile(in(realFile), []byte("for clients\n"), 0o644),
		os.WriteFile(out("secret"), secret, 0o644),
		os.Mkdir(in("sub"), 0o755),
		os.WriteFile(in("sub/inner.txt"), secret, 0o644),
		os.Symlink(out("secret"), in("link-out")),
		os.Symlink(realFile, in("link-in")),
		os.Symlink(outside, in("link-folder")),
		os.Symlink(out("not-there"), in("link-dangling")),
		syscall.Mkfifo(in("fifo"), 0o644),
		os.WriteFile(in(".hidden"), secret, 0o644),
		os.WriteFile(in("new\nline"), secret, 0o644),
		os.WriteFile(in("esc\x1b[2Jape"), secret, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(in("bad\xff\xfeutf-8"), secret, 0o644); err != nil {
		t.Logf("this file system has no such name: %v", err)
	}
	plantSocket(t, library)
}

// plantSocket makes a socket by a short name, which is all that fits.
func plantSocket(t *testing.T, library string) {
	t.Helper()
	short := filepath.Join(os.TempDir(), fmt.Sprintf("shelf-%d.sock", os.Getpid()))
	l, err := net.Listen("unix", short)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := os.Rename(short, filepath.Join(library, "socket")); err != nil {
		t.Fatal(err)
	}
}

// spellings are the ways to write the path of what lies in the library under
// name, and some that come near it.
func spellings(name string) []string {
	return []string{
		name,
		"/" + name,
		"./" + name,
		"/./" + name,
		"//" + name,
		"///.//" + name,
		name + "/",
		name + "/.",
		"/" + name + "//",
		name + "/../" + name,
		"sub/../" + name,
		"/sub/../" + name,
		"link-folder/../" + name,
		"../library/" + name,
		"/../library/" + name,
		"../" + name,
		realFile + "/../" + name,
		name + "\x00",
		name + "\x00.txt",
		"\x00" + name,
		name + strings.Repeat("x", 300),
		strings.Repeat("./", 200) + name,
	}
}

// op is one request that names a path.
type op struct {
	name string
	do   func(c *client, path string) error
}

// opOpen opens with these flags and, should that work, uses what it has.
func opOpen(name string, flags int) op {
	return op{"open " + name, func(c *client, path string) error {
		f, err := c.OpenFile(path, flags)
		if err != nil {
			return err
		}
		if flags&os.O_WRONLY != 0 {
			f.Write([]byte("overwritten"))
		}
		return f.Close()
	}}
}

// readOps look at a file or change it in place: on what is not of the library
// each must fail, whatever the spelling.
var readOps = []op{
	{"stat", func(c *client, p string) error { _, err := c.Stat(p); return err }},
	{"lstat", func(c *client, p string) error { _, err := c.Lstat(p); return err }},
	opOpen("read", os.O_RDONLY),
	opOpen("write", os.O_WRONLY),
	opOpen("append", os.O_WRONLY|os.O_APPEND),
	opOpen("truncate", os.O_WRONLY|os.O_TRUNC),
	{"setstat mode", func(c *client, p string) error { return c.Chmod(p, 0o600) }},
	{"setstat size", func(c *client, p string) error { return c.Truncate(p, 1) }},
	{"setstat times", func(c *client, p string) error { return c.Chtimes(p, time.Unix(1, 0), time.Unix(2, 0)) }},
	{"rename from", func(c *client, p string) error { return c.Rename(p, "taken away") }},
	{"posix-rename from", func(c *client, p string) error { return c.PosixRename(p, "taken away") }},
	{"remove", func(c *client, p string) error { return c.Remove(p) }},
}

// createOps make or replace a file under a name.
var createOps = []op{
	opOpen("create", os.O_WRONLY|os.O_CREATE),
	opOpen("create truncate", os.O_WRONLY|os.O_CREATE|os.O_TRUNC),
	opOpen("create exclusive", os.O_WRONLY|os.O_CREATE|os.O_EXCL),
	{"rename to", func(c *client, p string) error { return c.Rename(realFile, p) }},
	{"posix-rename to", func(c *client, p string) error { return c.PosixRename(realFile, p) }},
}

// folderOps are for what a flat library does not have.
var folderOps = []op{
	{"readdir", func(c *client, p string) error { _, err := c.ReadDir(p); return err }},
	{"rmdir", func(c *client, p string) error { return c.RemoveDirectory(p) }},
	{"mkdir", func(c *client, p string) error { return c.Mkdir(p) }},
	{"readlink", func(c *client, p string) error { _, err := c.ReadLink(p); return err }},
	{"symlink at", func(c *client, p string) error { return c.Symlink(realFile, p) }},
	{"symlink to", func(c *client, p string) error { return c.Symlink(p, "a link") }},
	{"link at", func(c *client, p string) error { return c.Link(realFile, p) }},
	{"link to", func(c *client, p string) error { return c.Link(p, "a link") }},
}

// TestPlantedIsOutOfReach asks for everything that lies in the folder and is
// not a file of the library, by every request and every spelling. All must
// fail, at once, and change nothing.
func TestPlantedIsOutOfReach(t *testing.T) {
	t.Parallel()
	s, outside := servePlanted(t)
	before := [2]map[string]string{snapshot(t, s.library), snapshot(t, outside)}
	for _, name := range planted {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			c := s.dial(t)
			for _, path := range spellings(name) {
				for _, o := range slices.Concat(readOps, createOps, folderOps) {
					mustRefuse(t, c, o, path)
				}
			}
		})
	}
	after := [2]map[string]string{snapshot(t, s.library), snapshot(t, outside)}
	for i, folder := range []string{"the library", "the folder outside"} {
		if !maps.Equal(before[i], after[i]) {
			t.Errorf("%s changed:\nbefore %q\nafter  %q", folder, before[i], after[i])
		}
	}
}

// servePlanted starts a server on a planted library.
func servePlanted(t *testing.T) (s *server, outside string) {
	t.Helper()
	s, outside = serve(t), t.TempDir()
	plant(t, s.library, outside)
	return s, outside
}

// mustRefuse fails the test if the request succeeds or is not answered.
func mustRefuse(t *testing.T, c *client, o op, path string) {
	t.Helper()
	err, answered := answer(t.Context(), func() error { return o.do(c, path) })
	switch {
	case !answered:
		t.Fatalf("%s %q: no answer", o.name, path)
	case err == nil:
		t.Errorf("%s %q: allowed", o.name, path)
	case errors.Is(err, sftp.ErrSSHFxConnectionLost):
		t.Fatalf("%s %q: the session ended", o.name, path)
	}
}

// answer runs f, for as long as patience goes.
func answer(ctx context.Context, f func() error) (err error, answered bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err, true
	case <-ctx.Done():
		return nil, false
	}
}

// TestPlantedIsNotListed sees the one real file, by the two spellings of the
// root and by the stock client's too.
func TestPlantedIsNotListed(t *testing.T) {
	s, _ := servePlanted(t)
	c := s.dial(t)
	for _, root := range []string{"/", ".", "", "/.", "..", "/../.."} {
		files, err := c.ReadDir(root)
		if err != nil {
			t.Errorf("readdir %q: %v", root, err)
			continue
		}
		if len(files) != 1 || files[0].Name() != realFile {
			t.Errorf("readdir %q: %v, not %s alone", root, names(files), realFile)
		}
	}
}

func names(files []fs.FileInfo) []string {
	var n []string
	for _, f := range files {
		n = append(n, f.Name())
	}
	return n
}

// TestRequestsReachARealFile keeps the tests above honest: what they send does
// work on a file of the library.
func TestRequestsReachARealFile(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	for _, o := range slices.Concat(readOps, createOps) {
		for _, path := range []string{"a file", "/a file"} {
			s.setUpFor(t, o)
			err := o.do(c, path)
			if wantRefused := o.name == "remove" || o.name == "open create exclusive"; wantRefused != (err != nil) {
				t.Errorf("%s %q: %v", o.name, path, err)
			}
		}
	}
}

// setUpFor has realFile and "a file" in the library, except when the latter is
// to be a new name.
func (s *server) setUpFor(t *testing.T, o op) {
	t.Helper()
	s.put(t, realFile, []byte("real"))
	s.put(t, "a file", []byte("a file"))
	os.Remove(filepath.Join(s.library, "taken away"))
	if o.name == "rename to" {
		os.Remove(filepath.Join(s.library, "a file"))
	}
}

// snapshot describes every entry below a folder but the server's stages: kind,
// mode, times, and content or target.
func snapshot(t *testing.T, folder string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		var what string
		switch {
		case i.Mode().IsRegular():
			var content []byte
			content, err = os.ReadFile(path)
			what = fmt.Sprintf("%v %x", i.ModTime(), sha256.Sum256(content))
		case i.Mode()&fs.ModeSymlink != 0:
			what, err = os.Readlink(path)
		}
		seen[strings.TrimPrefix(path, folder)] = i.Mode().String() + " " + what
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}
