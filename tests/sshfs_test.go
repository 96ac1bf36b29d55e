package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// inARow is how often a test does what sshfs may reorder: it sends a CLOSE only
// after close(2) has returned, so that what a program does next may overtake it.
const inARow = 200

// TestSshfs mounts a library and works in it as programs and editors do.
func TestSshfs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	big := content(1, 3<<20)
	s.put(t, "big", big)
	if err := os.Symlink("/etc/passwd", filepath.Join(s.library, "link")); err != nil {
		t.Fatal(err)
	}
	m := s.mount(t)

	t.Run("copy", func(t *testing.T) {
		succeed(t, exec.Command("cp", "-p", m.in("big"), m.in("copy")))
		m.has(t, "copy", big)
		back := filepath.Join(t.TempDir(), "back")
		succeed(t, exec.Command("cp", m.in("copy"), back))
		if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, big) {
			t.Errorf("cp out: %d bytes: %v", len(got), err)
		}
		m.write(t, "empty", os.O_CREATE|os.O_EXCL, "")
		m.has(t, "empty", nil)
	})
	t.Run("random reads", func(t *testing.T) {
		f, err := os.Open(m.in("big"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, off := range []int64{3<<20 - 5, 0, 1<<20 + 1, 12345, 2 << 20} {
			got := make([]byte, 5000)
			n, err := f.ReadAt(got, off)
			if want := big[off:min(off+5000, 3<<20)]; !bytes.Equal(got[:n], want) || err != nil && err != io.EOF {
				t.Errorf("%d bytes at %d: %v", n, off, err)
			}
		}
	})
	t.Run("append", func(t *testing.T) {
		var want []byte
		for i := range inARow {
			line := fmt.Sprintln("line", i)
			m.write(t, "log", os.O_CREATE|os.O_APPEND, line)
			want = append(want, line...)
		}
		m.has(t, "log", want)
	})
	t.Run("edit in place", func(t *testing.T) {
		m.write(t, "text", os.O_CREATE, "first, and longer\n")
		f, err := os.OpenFile(m.in("text"), os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("second\n")
		if err := f.Sync(); err != nil {
			t.Error("fsync:", err)
		}
		if i, err := f.Stat(); err != nil || i.Size() != 7 {
			t.Errorf("fstat of the open file: %v, %v", i, err)
		}
		if i, err := os.Stat(m.in("text")); err != nil || i.Size() != 7 {
			t.Errorf("stat of the open file: %v, %v", i, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		m.has(t, "text", []byte("second\n"))
	})
	t.Run("edit by rename", func(t *testing.T) {
		for i := range inARow {
			m.write(t, "text~", os.O_CREATE|os.O_EXCL, fmt.Sprintln("version", i))
			if err := os.Rename(m.in("text~"), m.in("text")); err != nil {
				t.Fatal(err)
			}
		}
		m.has(t, "text", []byte("version 199\n"))
		if _, err := os.Stat(m.in("text~")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the old name: %v", err)
		}
	})
	t.Run("patch", func(t *testing.T) {
		f, err := os.OpenFile(m.in("copy"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteAt([]byte("patched"), 1<<20)
		if err := f.Truncate(2 << 20); err != nil {
			t.Error(err)
		}
		got := make([]byte, 9)
		if _, err := f.ReadAt(got, 1<<20-1); err != nil || string(got[1:8]) != "patched" {
			t.Errorf("read back %q: %v", got, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		want := append([]byte{}, big[:2<<20]...)
		copy(want[1<<20:], "patched")
		m.has(t, "copy", want)
	})
	t.Run("attributes", m.attributes)
	t.Run("list and space", func(t *testing.T) {
		entries, err := os.ReadDir(m.dir)
		if err != nil || len(entries) != 5 {
			t.Errorf("lists %v, %v", entries, err)
		}
		var st syscall.Statfs_t
		if err := syscall.Statfs(m.dir, &st); err != nil || st.Blocks == 0 || st.Bavail == 0 || st.Files == 0 || st.Namelen != 255 {
			t.Errorf("statfs %+v, %v", st, err)
		}
	})
	t.Run("errors", m.errors)
}

func (m *mounted) attributes(t *testing.T) {
	when := time.Unix(1_000_000_000, 0)
	for _, when := range []time.Time{when, time.Unix(1, 0), time.Unix(4_000_000_000, 0)} {
		if err := os.Chtimes(m.in("text"), when, when); err != nil {
			t.Error(err)
		}
		if i, err := os.Stat(filepath.Join(m.s.library, "text")); err != nil || !i.ModTime().Equal(when) {
			t.Errorf("time %v, want %v: %v", i.ModTime(), when, err)
		}
	}
	if err := os.Chmod(m.in("text"), 0o640); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(m.in("text"), 3); err != nil {
		t.Error(err)
	}
	m.has(t, "text", []byte("ver"))
	if i, err := os.Stat(m.in("text")); err != nil || i.Mode() != 0o640 || i.Size() != 3 {
		t.Errorf("stat: %v, %v", i, err)
	}
}

// errors: what the library refuses arrives as the errno that programs expect.
func (m *mounted) errors(t *testing.T) {
	open := func(name string, flags int) error {
		f, err := os.OpenFile(m.in(name), flags, 0o644)
		if err == nil {
			f.Close()
		}
		return err
	}
	for what, is := range map[string]struct {
		got  error
		want syscall.Errno
	}{
		"open nothing":          {open("nothing", os.O_RDWR), syscall.ENOENT},
		"open a link":           {open("link", os.O_RDONLY), syscall.ENOENT},
		"create what exists":    {open("text", os.O_RDWR|os.O_CREATE|os.O_EXCL), syscall.EEXIST},
		"create in no folder":   {open("sub/x", os.O_RDWR|os.O_CREATE), syscall.ENOENT},
		"create a dot-file":     {open(".hidden", os.O_RDWR|os.O_CREATE), syscall.EPERM},
		"create over a link":    {open("link", os.O_RDWR|os.O_CREATE), syscall.EPERM},
		"rename nothing":        {os.Rename(m.in("nothing"), m.in("x")), syscall.ENOENT},
		"remove":                {syscall.Unlink(m.in("text")), syscall.EACCES},
		"chown":                 {os.Chown(m.in("text"), 1, 1), syscall.EACCES},
		"make a folder":         {os.Mkdir(m.in("folder"), 0o755), syscall.EOPNOTSUPP},
		"make a symbolic link":  {os.Symlink("/etc/passwd", m.in("planted")), syscall.EOPNOTSUPP},
		"make a hard link":      {os.Link(m.in("text"), m.in("hard")), syscall.EPERM},
		"climb out by a rename": {os.Rename(m.in("text"), m.in(".shelf/x")), syscall.ENOENT},
	} {
		if !errors.Is(is.got, is.want) {
			t.Errorf("%s: %v, want %v", what, is.got, is.want)
		}
	}
}

// mounted is a library mounted with sshfs.
type mounted struct {
	s   *server
	dir string
}

// noFuse is what sshfs says where there is no FUSE, or not for us.
var noFuse = regexp.MustCompile(`fuse: device not found|(/dev/fuse|mount failed|fusermount3?).*(Operation not permitted|Permission denied|No such file)`)

// mount mounts the library until the test ends. Where the kernel or the
// container has no FUSE the test is skipped, in CI too.
func (s *server) mount(t *testing.T) *mounted {
	t.Helper()
	need(t, "sshfs")
	need(t, "fusermount3")
	m := &mounted{s, filepath.Join(t.TempDir(), "mnt")}
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	said := newOutput()
	cmd := exec.Command("sshfs", "-f", "-F", s.config, "shelf:/", m.dir)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { cmd.Wait(); close(gone) }()
	t.Cleanup(func() {
		exec.Command("fusermount3", "-u", "-z", m.dir).Run()
		select {
		case <-gone:
		case <-time.After(patience):
			cmd.Process.Kill()
			t.Error("sshfs did not end")
		}
	})
	eventually(t, "the library is mounted", func() bool {
		select {
		case <-gone:
			return true
		default:
			return m.is(t)
		}
	})
	if m.is(t) {
		return m
	}
	if noFuse.MatchString(said.String()) {
		cannotRun(t, "sshfs can't mount here: %s", said)
	}
	t.Fatalf("sshfs: %s", said)
	return nil
}

// is tells whether the folder is another file system than the one it lies in.
func (m *mounted) is(t *testing.T) bool {
	here, err := os.Stat(m.dir)
	if err != nil {
		return false
	}
	above, err := os.Stat(filepath.Dir(m.dir))
	if err != nil {
		t.Fatal(err)
	}
	return here.Sys().(*syscall.Stat_t).Dev != above.Sys().(*syscall.Stat_t).Dev
}

func (m *mounted) in(name string) string { return filepath.Join(m.dir, name) }

// write opens, writes and closes.
func (m *mounted) write(t *testing.T, name string, flags int, text string) {
	t.Helper()
	f, err := os.OpenFile(m.in(name), os.O_WRONLY|flags, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// has compares what the mount shows at once, and what the library has once
// sshfs has closed the file: it does so after close(2) has returned.
func (m *mounted) has(t *testing.T, name string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(m.in(name)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s in the mount is %d bytes: %v", name, len(got), err)
	}
	eventually(t, name+" is in the library as written", func() bool {
		got, err := os.ReadFile(filepath.Join(m.s.library, name))
		return err == nil && bytes.Equal(got, want)
	})
}
