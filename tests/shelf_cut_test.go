package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// cutting is a server behind a link that breaks, and a shelf that goes on.
type cutting struct {
	server *server // the one that runs
	near   *server // it, as it is reached over the link
	link   *link
	cut    int // how many transfers were, and how many
	went   int // went on after what was there
}

func newCutting(t *testing.T) *cutting {
	s, err := startServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := &cutting{server: s, link: newLink(t, s.addr, 0)}
	near := *s
	near.addr = c.link.addr
	c.near = &near
	t.Cleanup(func() {
		if err := c.server.stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// cuts are the ways in which a transfer can end too early.
var cuts = []string{"connection reset", "server killed", "client killed"}

// run runs a shelf that meets one of the cuts after so many bytes, and then
// shelves that do not, until one is done. At each end look is called.
func (c *cutting) run(t *testing.T, how string, after int64, args []string, look func()) {
	t.Helper()
	first := shelfCommand(c.near, args...)
	var out bytes.Buffer
	first.Stdout, first.Stderr = &out, &out
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	var killed atomic.Bool
	c.link.after(after, func() {
		switch how {
		case "connection reset":
			c.link.cut()
		case "server killed":
			killed.Store(true)
			c.server.cmd.Process.Kill()
		case "client killed":
			first.Process.Kill()
		}
	})
	whole := first.Wait() == nil
	c.link.after(0, nil)
	if killed.Load() {
		c.restart(t)
	}
	look()
	if whole {
		return // it was faster
	}
	c.cut++
	said, err := shelfCommand(c.near, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s after %d bytes: it is not gone on with: %v\n%s", how, after, err, said)
	}
	if wentOnAfter(said) > 0 {
		c.went++
	}
	look()
}

var resumedAt = regexp.MustCompile(`"resumed_at":(\d+)`)

// wentOnAfter tells how many bytes a shelf with --json had not to move.
func wentOnAfter(said []byte) int {
	m := resumedAt.FindSubmatch(said)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// restart starts the server again that was killed.
func (c *cutting) restart(t *testing.T) {
	t.Helper()
	<-c.server.exited
	s, err := startServer(c.server.dir)
	if err != nil {
		t.Fatal(err)
	}
	c.server = s
	c.link.redirect(s.addr)
}

// mustHaveCut fails a test that has tested little.
func (c *cutting) mustHaveCut(t *testing.T) {
	t.Helper()
	t.Logf("%d of %d transfers were cut, %d went on after what was there", c.cut, c.rounds(), c.went)
	if c.cut < c.rounds()/2 {
		t.Error("most transfers were not cut")
	}
	if c.went == 0 { // a server that is killed keeps nothing; others do
		t.Error("all began anew")
	}
}

func (c *cutting) rounds() int {
	if *torture {
		return 100
	}
	return 12
}

// TestShelfCutUploads cuts uploads of shelf at random moments and has the next
// shelf go on: what is published is the source, and never a part of it.
func TestShelfCutUploads(t *testing.T) {
	t.Parallel()
	c := newCutting(t)
	from := t.TempDir()
	for i := range c.rounds() {
		size := 2<<20 + rand.Int64N(10<<20)
		name := fmt.Sprintf("up-%d", i)
		want := content(uint64(i), size)
		file := filepath.Join(from, name)
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
		c.run(t, cuts[i%len(cuts)], rand.Int64N(size), []string{"put", "--retry", "0", "--json", file}, func() {
			mustBeWholeOrAbsent(t, filepath.Join(c.server.library, name), want)
		})
		mustBe(t, filepath.Join(c.server.library, name), want)
		os.Remove(filepath.Join(c.server.library, name))
	}
	c.mustHaveCut(t)
}

// TestShelfCutDownloads is the other way.
func TestShelfCutDownloads(t *testing.T) {
	t.Parallel()
	c := newCutting(t)
	to := t.TempDir()
	for i := range c.rounds() {
		size := 2<<20 + rand.Int64N(10<<20)
		name := fmt.Sprintf("down-%d", i)
		want := content(uint64(i), size)
		c.server.put(t, name, want)
		c.run(t, cuts[i%len(cuts)], rand.Int64N(size), []string{"get", "--retry", "0", "--json", name, "to", to}, func() {
			mustBeWholeOrAbsent(t, filepath.Join(to, name), want)
		})
		mustBe(t, filepath.Join(to, name), want)
		os.Remove(filepath.Join(c.server.library, name))
	}
	c.mustHaveCut(t)
	if left := partsIn(t, to); len(left) > 0 {
		t.Errorf("parts are left: %v", left)
	}
}

// TestShelfRetries cuts one connection of a script: each command of it goes on by
// itself, with what was there.
func TestShelfRetries(t *testing.T) {
	t.Parallel()
	c := newCutting(t)
	const size = 8 << 20
	want := content(3, size)
	here := t.TempDir()
	if err := os.WriteFile(filepath.Join(here, "up"), want, 0o600); err != nil {
		t.Fatal(err)
	}
	c.server.put(t, "down", want)
	for _, line := range []string{"put up", "get down", "sync --down " + here + "\n"} {
		c.link.after(size/2, c.link.cut)
		cmd := shelfCommand(c.near)
		cmd.Dir, cmd.Stdin = here, strings.NewReader(line)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "connecting again in 1s (1 of 3)") {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		if line == "get down" {
			mustBe(t, filepath.Join(here, "down"), want)
			os.Remove(filepath.Join(here, "down")) // for sync
		}
	}
	mustBe(t, filepath.Join(c.server.library, "up"), want)
	mustBe(t, filepath.Join(here, "down"), want)
}

// TestShelfDamagedBeginnings changes a byte of what a cut transfer left: that is
// found out, and what is wrong is sent again. Without that, only the rest is.
func TestShelfDamagedBeginnings(t *testing.T) {
	t.Parallel()
	c := newCutting(t)
	const size = 8 << 20
	want := content(1, size)
	from, to := t.TempDir(), t.TempDir()
	file := filepath.Join(from, "up")
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	c.server.put(t, "down", want)
	for _, way := range []struct {
		args   []string
		folder string // where the beginning lies
		result string
	}{
		{[]string{"put", "--retry", "0", "--json", file}, filepath.Join(c.server.library, ".shelf", "partials"), filepath.Join(c.server.library, "up")},
		{[]string{"get", "--retry", "0", "--json", "down", "to", to}, to, filepath.Join(to, "down")},
	} {
		for _, damaged := range []bool{false, true} {
			os.Remove(way.result)
			c.link.after(size/2, c.link.cut)
			if out, err := shelfCommand(c.near, way.args...).CombinedOutput(); err == nil {
				t.Fatalf("%v was not cut\n%s", way.args, out)
			}
			part := beginning(t, way.folder)
			if damaged {
				damage(t, part)
			}
			out, err := shelfCommand(c.near, way.args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %v\n%s", way.args, err, out)
			}
			if n := wentOnAfter(out); damaged && n > damagedByte || !damaged && n == 0 {
				t.Errorf("damaged: %v, and %v prints\n%s", damaged, way.args, out)
			}
			mustBe(t, way.result, want)
		}
	}
}

// partsIn are the beginnings of files that wait in a folder: one of a client's,
// or the hidden one of a library.
func partsIn(t *testing.T, folder string) (parts []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Size() > 0 && (strings.HasPrefix(e.Name(), ".shelf-") || strings.HasPrefix(e.Name(), "partial-")) {
			parts = append(parts, filepath.Join(folder, e.Name()))
		}
	}
	return parts
}

// beginning is the one that waits in a folder, once it does.
func beginning(t *testing.T, folder string) string {
	t.Helper()
	eventually(t, "the beginning is kept", func() bool { return len(partsIn(t, folder)) == 1 })
	return partsIn(t, folder)[0]
}

// damagedByte is the one that damage changes. What is before it may be used.
const damagedByte = 1000

// damage changes a byte of a file.
func damage(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], damagedByte); err != nil {
		t.Fatal(err)
	}
	b[0]++
	if _, err := f.WriteAt(b[:], damagedByte); err != nil {
		t.Fatal(err)
	}
}

func mustBeWholeOrAbsent(t *testing.T, file string, want []byte) {
	t.Helper()
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		mustBe(t, file, want)
	}
}

func mustBe(t *testing.T, file string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s has %d bytes that are not the %d of its source", file, len(got), len(want))
	}
}
