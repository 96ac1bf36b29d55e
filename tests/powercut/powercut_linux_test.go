package powercut

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mounted is a disk for a test, which uses it by paths below dir.
type mounted struct {
	*Disk
	t   *testing.T
	dir string
}

func mount(t *testing.T, o Options) *mounted {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		if os.Getenv("CI") != "" || os.Getenv("SHELF_CI") != "" {
			t.Fatal("FUSE is needed, and in CI it must be there: ", err)
		}
		t.Skip("FUSE is needed: ", err)
	}
	dir := t.TempDir()
	d, err := Mount(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return &mounted{d, t, dir}
}

func (m *mounted) path(name string) string { return filepath.Join(m.dir, name) }

// must is for the steps of a test that are no part of its question.
func (m *mounted) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *mounted) write(name, text string) {
	m.t.Helper()
	m.must(os.WriteFile(m.path(name), []byte(text), 0o644))
}

func (m *mounted) sync(name string) {
	m.t.Helper()
	f, err := os.Open(m.path(name))
	m.must(err)
	m.must(errors.Join(f.Sync(), f.Close()))
}

// found draws many disks by a model and tells which were found, each as one
// line: its files with what is in them, "=" between two names of one file.
func (m *mounted) found(model Model) []string {
	cut, found := m.Cut(), make(map[string]bool)
	lot := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		found[describe(cut.Draw(model, lot))] = true
	}
	return slices.Sorted(maps.Keys(found))
}

func describe(i *Image) string {
	var words []string
	seen := make(map[uint64]string)
	var walk func(d drawnDir, path string)
	walk = func(d drawnDir, path string) {
		for _, name := range slices.Sorted(maps.Keys(d.entries)) {
			id, path := d.entries[name], path+name
			switch below, ok := d.dirs[name]; {
			case ok:
				words = append(words, path+"/")
				walk(below, path+"/")
			case seen[id] != "":
				words = append(words, path+"="+seen[id])
			default:
				seen[id] = path
				words = append(words, path+":"+strings.ReplaceAll(string(i.files[id].data), "\x00", "0"))
			}
		}
	}
	walk(i.top, "")
	return strings.Join(words, " ")
}

// TestDisks says of small programs which disks a power cut may leave.
func TestDisks(t *testing.T) {
	synced := func(m *mounted) {
		m.write("a", "old")
		m.sync("a")
		m.sync(".")
	}
	for _, c := range []struct {
		story           string
		do              func(m *mounted)
		ordered, strict []string
	}{
		{"all is synced", synced, []string{"a:old"}, []string{"a:old"}},
		{"nothing is synced", func(m *mounted) { m.write("a", "x") },
			[]string{"", "a:", "a:0", "a:x"}, []string{"", "a:", "a:0", "a:x"}},
		{"the file is synced, not its name", func(m *mounted) { m.write("a", "x"); m.sync("a") },
			[]string{"a:x"}, []string{"", "a:x"}},
		{"the name is synced, not the file", func(m *mounted) { m.write("a", "x"); m.sync(".") },
			[]string{"a:", "a:0", "a:x"}, []string{"a:", "a:0", "a:x"}},
		{"an unlink", func(m *mounted) { synced(m); m.must(os.Remove(m.path("a"))) },
			[]string{"", "a:old"}, []string{"", "a:old"}},
		{"an unlink, and a sync of another file", func(m *mounted) {
			synced(m)
			m.must(os.Remove(m.path("a")))
			m.write("b", "x")
			m.sync("b")
		}, []string{"b:x"}, []string{"", "a:old", "a:old b:x", "b:x"}},
		{"a rename", func(m *mounted) { synced(m); m.must(os.Rename(m.path("a"), m.path("b"))) },
			[]string{"a:old", "b:old"}, []string{"a:old", "a:old b=a", "b:old"}},
		{"a rename from another directory", func(m *mounted) {
			m.must(os.Mkdir(m.path("d"), 0o700))
			m.write("d/a", "x")
			m.sync("d/a")
			m.sync("d")
			m.sync(".")
			m.must(os.Rename(m.path("d/a"), m.path("a")))
		}, []string{"a:x d/", "d/ d/a:x"}, []string{"a:x d/", "a:x d/ d/a=a", "d/", "d/ d/a:x"}},
		{"a link and an unlink", func(m *mounted) {
			synced(m)
			m.must(os.Link(m.path("a"), m.path("b")))
			m.must(os.Remove(m.path("a")))
		}, []string{"a:old", "a:old b=a", "b:old"}, []string{"", "a:old", "a:old b=a", "b:old"}},
		{"a write in place", func(m *mounted) {
			synced(m)
			f, err := os.OpenFile(m.path("a"), os.O_WRONLY, 0)
			m.must(err)
			_, err = f.WriteString("newer")
			m.must(errors.Join(err, f.Close()))
		}, []string{"a:new", "a:newer", "a:old", "a:old00"}, []string{"a:new", "a:newer", "a:old", "a:old00"}},
		{"a shorter file", func(m *mounted) { synced(m); m.must(os.Truncate(m.path("a"), 1)) },
			[]string{"a:o", "a:old"}, []string{"a:o", "a:old"}},
	} {
		t.Run(c.story, func(t *testing.T) {
			m := mount(t, Options{})
			c.do(m)
			if got := m.found(Ordered); !slices.Equal(got, c.ordered) {
				t.Errorf("ordered: %q, want %q", got, c.ordered)
			}
			if got := m.found(Strict); !slices.Equal(got, c.strict) {
				t.Errorf("strict: %q, want %q", got, c.strict)
			}
		})
	}
}

// TestAttributes: mode and times are lost and kept like all else.
func TestAttributes(t *testing.T) {
	m := mount(t, Options{})
	m.write("a", "x")
	m.sync("a")
	m.sync(".")
	m.must(os.Chmod(m.path("a"), 0o600))
	modes := func() []uint32 {
		cut, lot, seen := m.Cut(), rand.New(rand.NewPCG(1, 2)), make(map[uint32]bool)
		for range 100 {
			i := cut.Draw(Strict, lot)
			seen[i.files[i.top.entries["a"]].attr.mode] = true
		}
		return slices.Sorted(maps.Keys(seen))
	}
	if got := modes(); !slices.Equal(got, []uint32{0o600, 0o644}) {
		t.Errorf("not synced: %v", got)
	}
	m.sync("a")
	if got := modes(); !slices.Equal(got, []uint32{0o600}) {
		t.Errorf("synced: %v", got)
	}
}

// TestWrite makes a directory of a disk from which nothing is missing.
func TestWrite(t *testing.T) {
	m := mount(t, Options{})
	m.must(os.Mkdir(m.path("d"), 0o700))
	m.write("a", "text")
	m.must(os.Link(m.path("a"), m.path("d/b")))
	m.must(os.Chmod(m.path("a"), 0o640))
	m.must(os.Chtimes(m.path("a"), time.Unix(1000, 0), time.Unix(2000, 0)))
	for _, name := range []string{"a", "d", "."} {
		m.sync(name)
	}
	dir := filepath.Join(t.TempDir(), "image")
	m.must(m.Cut().Draw(Strict, rand.New(rand.NewPCG(1, 2))).Write(dir))
	out, err := exec.Command("sh", "-ec", `cd "$1" && cat d/b && stat -c ' %a %h %Y' a && stat -c %a d`, "sh", dir).CombinedOutput()
	if want := "text 640 2 2000\n700\n"; err != nil || string(out) != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
}

// TestOptions: what a file system is told to lack, it lacks.
func TestOptions(t *testing.T) {
	m := mount(t, Options{IgnoreSync: func(path string) bool { return path == "d/a" }, NoRenameNoReplace: true})
	m.must(os.Mkdir(m.path("d"), 0o700))
	m.write("d/a", "x")
	m.sync("d/a")
	m.sync("d")
	m.sync(".")
	if got, want := m.found(Strict), []string{"d/ d/a:", "d/ d/a:0", "d/ d/a:x"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := unix.Renameat2(unix.AT_FDCWD, m.path("d/a"), unix.AT_FDCWD, m.path("b"), unix.RENAME_NOREPLACE); !errors.Is(err, unix.EINVAL) {
		t.Errorf("renameat2: %v", err)
	}
}

// TestFileSystem has ordinary programs use it.
func TestFileSystem(t *testing.T) {
	m := mount(t, Options{})
	out, err := exec.Command("sh", "-ec", `
		cd "$1"
		head -c 300000 /dev/urandom > a
		cp a b && cmp a b
		ln a c && test "$(stat -c %h c)" = 2
		echo more >> a && test "$(stat -c %s c)" = 300005
		mv c d && rm a && test "$(stat -c %h d)" = 1
		mkdir e && mv d e && test "$(ls e)" = d
		truncate -s 10 b && chmod 600 b && touch -d @1000 b
		test "$(stat -c '%s %a %Y' b)" = '10 600 1000'
		for i in $(seq 300); do echo $i > e/$i; done
		test "$(ls e | wc -l)" = 301
		exec 3< e && flock -n 3 && ! flock -n e true
	`, "sh", m.dir).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
