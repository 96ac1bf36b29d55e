package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"shelf/tests/objectstore"
)

// migration is a folder and a bucket, and a configuration that has both.
type migration struct {
	dir, folder string
	bucket      string // the folder in which the store keeps it
	proxy       *objectstore.Proxy
}

func newMigration(t *testing.T) *migration {
	t.Helper()
	need(t, objectstore.Program)
	m := &migration{dir: t.TempDir()}
	m.folder, m.bucket = filepath.Join(m.dir, "in"), filepath.Join(m.dir, "store", objectstore.Bucket)
	must(t, os.Mkdir(m.folder, 0o755), os.MkdirAll(m.bucket, 0o755))
	store, err := objectstore.Start(filepath.Dir(m.bucket), "")
	must(t, err)
	t.Cleanup(store.Stop)
	m.proxy, err = objectstore.NewProxy(store.URL)
	must(t, err)
	t.Cleanup(m.proxy.Close)
	_, err = objectstore.WriteCredentials(m.dir)
	must(t, err)
	toml := "state = \"state\"\n[libraries.in]\npath = \"in\"\n" + strings.Replace(inBucket(m.proxy.URL), "default", "archive", 1)
	must(t, os.WriteFile(filepath.Join(m.dir, "shelfd.toml"), []byte(toml), 0o600))
	return m
}

func (m *migration) command(args ...string) *exec.Cmd {
	cmd := exec.Command("shelfd", append([]string{"migrate", "--config", "shelfd.toml"}, args...)...)
	cmd.Dir = m.dir
	return cmd
}

// run runs it, which must end with a status.
func (m *migration) run(t *testing.T, status int, args ...string) string {
	t.Helper()
	said, err := m.command(args...).CombinedOutput()
	got := 0
	if err != nil {
		got = err.(*exec.ExitError).ExitCode()
	}
	if got != status {
		t.Fatalf("shelfd migrate %s ended with %d, not %d:\n%s", strings.Join(args, " "), got, status, said)
	}
	return string(said)
}

// says fails a test whose program did not say something.
func says(t *testing.T, said string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("it did not say %q:\n%s", w, said)
		}
	}
}

// stamp is the time of the files.
var stamp = time.Unix(1_234_567_890, 0)

func (m *migration) put(t *testing.T, name string, text []byte, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(m.folder, name)
	must(t, os.WriteFile(path, text, mode), os.Chmod(path, mode), os.Chtimes(path, stamp, stamp))
}

// TestMigrate copies a library from a folder into a bucket and back, more than once.
func TestMigrate(t *testing.T) {
	t.Parallel()
	m := newMigration(t)
	names := []string{"empty", "a b+c%d", "é", strings.Repeat("n", 255), "large"}
	texts := [][]byte{{}, []byte("one"), []byte("two"), []byte("three"), content(1, 20<<20)}
	for i, name := range names {
		m.put(t, name, texts[i], os.FileMode(0o600+8*i))
	}
	must(t, os.Mkdir(filepath.Join(m.folder, "folder"), 0o755))
	files := func(folder string) (n int) {
		all, err := os.ReadDir(folder)
		must(t, err)
		for _, e := range all {
			if e.Type().IsRegular() {
				n++
			}
		}
		return n
	}

	says(t, m.run(t, 0, "in", "archive", "--dry-run"), "to be copied                 5 files, 20971531 bytes")
	if n := files(m.bucket); n != 0 {
		t.Errorf("a dry run copied %d files", n)
	}
	says(t, m.run(t, 0, "in", "archive"), "copied and verified          5 files, 20971531 bytes")
	m.proxy.Sent.Store(0)
	m.proxy.Got.Store(0)
	says(t, m.run(t, 0, "in", "s3://library"), "copied and verified          0 files", "there already                5 files, 20971531 bytes")
	if sent, got := m.proxy.Sent.Load(), m.proxy.Got.Load(); sent+got > 1<<20 {
		t.Errorf("of what was there already %d bytes were sent and %d read", sent, got)
	}

	// And back.
	must(t, os.Mkdir(filepath.Join(m.dir, "back"), 0o755))
	says(t, m.run(t, 0, "archive", "./back"), "copied and verified          5 files, 20971531 bytes")
	for i, name := range names {
		path := filepath.Join(m.dir, "back", name)
		if got := slurp(t, path); !bytes.Equal(got, texts[i]) {
			t.Errorf("%.20s came back as %d bytes that are not the %d that went", name, len(got), len(texts[i]))
		}
		info, err := os.Stat(path)
		must(t, err)
		if want := os.FileMode(0o600 + 8*i); !info.ModTime().Equal(stamp) || info.Mode() != want {
			t.Errorf("%.20s came back with %v and %v, and went with %v and %v", name, info.Mode(), info.ModTime(), want, stamp)
		}
	}

	// A file that changed is copied anew. One that TO had before is not replaced.
	m.put(t, "é", []byte("changed"), 0o600)
	m.put(t, "new", []byte("mine"), 0o600)
	must(t, os.WriteFile(filepath.Join(m.bucket, "new"), []byte("theirs"), 0o644))
	must(t, os.WriteFile(filepath.Join(m.bucket, "other"), []byte("theirs"), 0o644))
	says(t, m.run(t, 1, "in", "archive"), "copied and verified          1 file, 7 bytes", "new: TO has another file",
		"in TO alone                  1 file", "others in TO, left alone     1 file", "no file of a library         1 file", "of FROM 1 file could not be copied")
	has := func(name, want string) {
		t.Helper()
		if got := string(slurp(t, filepath.Join(m.bucket, name))); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	has("é", "changed")
	has("new", "theirs")
	m.run(t, 0, "in", "archive", "--replace")
	has("new", "mine")
	has("other", "theirs")

	// What makes no sense is refused.
	for _, args := range [][]string{{"in", "in"}, {"in", "./in"}, {"in", "nothing"}, {"in", "s3://nothing"}, {"in", "./in/folder"}, {"in"}} {
		if said, err := m.command(args...).CombinedOutput(); err == nil || len(said) == 0 {
			t.Errorf("shelfd migrate %s: %v, %s", strings.Join(args, " "), err, said)
		}
	}
}

var goesOn = regexp.MustCompile(`large goes on after (\d+) bytes`)

// TestMigrateKilled kills it while it copies, and runs it again: only what is missing is
// sent.
func TestMigrateKilled(t *testing.T) {
	t.Parallel()
	m := newMigration(t)
	const size, small = 100 << 20, 50
	large := content(2, size)
	m.put(t, "large", large, 0o640)
	for n := range small {
		m.put(t, fmt.Sprintf("small %d", n), fmt.Append(nil, n), 0o644)
	}
	first := m.command("in", "archive")
	must(t, first.Start())
	eventually(t, "a part of the large file was sent", func() bool {
		records, err := filepath.Glob(filepath.Join(m.bucket, ".shelf", "partial", "*", "*"))
		return err == nil && len(records) > 0 && m.proxy.Sent.Load() > 30<<20
	})
	must(t, first.Process.Kill())
	first.Wait()
	if _, err := os.Stat(filepath.Join(m.bucket, "large")); err == nil {
		t.Fatal("the file was there before it was whole")
	}
	m.proxy.Sent.Store(0)
	said := m.run(t, 0, "in", "archive")
	after := goesOn.FindStringSubmatch(said)
	if after == nil {
		t.Fatalf("it did not go on where it was killed:\n%s", said)
	}
	off, err := strconv.ParseInt(after[1], 10, 64)
	must(t, err)
	if sent := m.proxy.Sent.Load(); off < 8<<20 || sent > size-off+4<<20 {
		t.Errorf("it went on after %d bytes, and sent %d", off, sent)
	}
	if got := slurp(t, filepath.Join(m.bucket, "large")); !bytes.Equal(got, large) {
		t.Error("what was gone on with is not the file")
	}
	for n := range small {
		if got := string(slurp(t, filepath.Join(m.bucket, fmt.Sprintf("small %d", n)))); got != fmt.Sprint(n) {
			t.Errorf("small %d is %q", n, got)
		}
	}
	says(t, m.run(t, 0, "in", "archive"), "there already                51 files")
}
