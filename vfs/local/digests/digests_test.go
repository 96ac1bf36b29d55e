package digests

import (
	"bytes"
	"context"
	"crypto"
	"crypto/md5"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/vfstest"
)

// digests is a memory of digests under test, whose clock is far ahead: every
// file is one that changed long ago.
func digests(t *testing.T, path string) (*Cache, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	d := New(path, slog.New(slog.NewTextHandler(log, nil)))
	d.now = func() time.Time { return time.Now().Add(time.Hour) }
	t.Cleanup(func() {
		if d.file.f != nil {
			d.file.f.Close()
		}
	})
	return d, log
}

// is asks for the MD5 of f and compares it with that of text.
func (d *Cache) is(t *testing.T, f *os.File, text string) {
	t.Helper()
	got, err := d.Of(t.Context(), f, crypto.MD5)
	if want := md5.Sum([]byte(text)); err != nil || !bytes.Equal(got, want[:]) {
		t.Errorf("%x, %v; want %x, of %.20q", got, err, want, text)
	}
}

// lie changes all that is remembered: who is told a lie was not told by reading.
func (d *Cache) lie() {
	for key, sum := range d.known {
		d.known[key] = strings.Repeat("L", len(sum))
	}
}

func TestDigestsAreComputedOnce(t *testing.T) {
	dir := t.TempDir()
	d, log := digests(t, filepath.Join(dir, "digests"))
	f := vfstest.OpenFile(t, filepath.Join(dir, "f"), "hello")
	d.is(t, f, "hello")
	d.lie()
	if got, _ := d.Of(t.Context(), f, crypto.MD5); string(got) != strings.Repeat("L", 16) {
		t.Error("it was computed twice")
	}
	if got, _ := d.Of(t.Context(), f, crypto.SHA256); len(got) != 32 || string(got) == strings.Repeat("L", 32) {
		t.Errorf("of another algorithm: %x", got)
	}
	if log.Len() > 0 {
		t.Error(log)
	}
	// A new server reads what was saved.
	again, _ := digests(t, filepath.Join(dir, "digests"))
	again.mu.Lock()
	again.load()
	again.mu.Unlock()
	if len(again.known) != 2 {
		t.Errorf("%d digests were saved", len(again.known))
	}
	again.is(t, f, "hello")
	again.lie()
	if got, _ := again.Of(t.Context(), f, crypto.MD5); string(got) != strings.Repeat("L", 16) {
		t.Error("what was saved is computed again")
	}
}

// Whatever changes a file, if only its ctime, makes it another version.
func TestDigestsOfChangedFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	d, _ := digests(t, filepath.Join(dir, "digests"))
	f := vfstest.OpenFile(t, path, "hello")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	d.is(t, f, "hello")
	awaitTick(t, dir)
	if err := os.WriteFile(path, []byte("HELLO"), 0); err != nil { // the same inode and size
		t.Fatal(err)
	}
	if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil { // and mtime
		t.Fatal(err)
	}
	d.is(t, f, "HELLO")
	// A file in its place is another, too.
	awaitTick(t, dir)
	g := vfstest.OpenFile(t, path+".new", "Hello")
	if err := errors.Join(os.Chtimes(path+".new", before.ModTime(), before.ModTime()), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
	d.is(t, g, "Hello")
	d.is(t, f, "HELLO")
}

// awaitTick returns when the file system's clock has gone on.
func awaitTick(t *testing.T, dir string) {
	t.Helper()
	ctime := func() int64 {
		key, err := keyOf(vfstest.OpenFile(t, filepath.Join(dir, "clock"), "tick"), crypto.MD5)
		if err != nil {
			t.Fatal(err)
		}
		return key.ctime
	}
	for start := ctime(); ctime() == start; {
		time.Sleep(time.Millisecond)
	}
}

// Of a file that changed just now nothing is remembered: it might change again
// within the same tick.
func TestDigestsOfNewFiles(t *testing.T) {
	dir := t.TempDir()
	d, _ := digests(t, filepath.Join(dir, "digests"))
	f := vfstest.OpenFile(t, filepath.Join(dir, "f"), "hello")
	key, err := keyOf(f, crypto.MD5)
	if err != nil {
		t.Fatal(err)
	}
	for _, age := range []time.Duration{-time.Hour, 0, settled} {
		d.now = func() time.Time { return time.Unix(0, key.ctime).Add(age) }
		d.is(t, f, "hello")
		if len(d.known) != 0 {
			t.Errorf("a digest is remembered of a file that is %v old", age)
		}
	}
	d.now = func() time.Time { return time.Unix(0, key.ctime).Add(settled + 1) }
	d.is(t, f, "hello")
	if len(d.known) != 1 {
		t.Error("nothing is remembered")
	}
}

// Nothing that is wrong with the file gives a wrong digest, or none.
func TestDigestsFileIsBroken(t *testing.T) {
	dir := t.TempDir()
	f := vfstest.OpenFile(t, filepath.Join(dir, "f"), "hello")
	saved := filepath.Join(dir, "saved")
	d, _ := digests(t, saved)
	d.is(t, f, "hello")
	good, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-3] ^= 1
	for what, content := range map[string][]byte{
		"empty":         {},
		"torn":          good[:len(good)-9],
		"torn, then on": append(bytes.Clone(good[:len(good)-9]), good...),
		"a wrong digit": flipped,
		"noise":         bytes.Repeat([]byte{0xff, 0, '\n', 7}, 1000),
		"one long line": bytes.Repeat([]byte("x"), 1<<20),
		"other words":   []byte("hello world\n00000000 5 1 2 3 4 5 6\n"),
	} {
		path := filepath.Join(t.TempDir(), "digests")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		d, _ := digests(t, path)
		d.is(t, f, "hello")
		again, _ := digests(t, path)
		if again.load(); len(again.known) != 1 {
			t.Errorf("%s: %d were saved after it", what, len(again.known))
		}
		again.is(t, f, "hello")
	}
	// Where nothing can be read or written, it is computed each time.
	d, log := digests(t, filepath.Join(dir, "f", "digests"))
	d.is(t, f, "hello")
	d.is(t, f, "hello")
	if !strings.Contains(log.String(), "not saved") {
		t.Errorf("nobody is told: %s", log)
	}
}

// No more is kept than there may be, in memory and in the file.
func TestDigestsAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "digests")
	d, log := digests(t, path)
	d.known = make(map[digestKey]string)
	key := digestKey{algorithm: crypto.MD5}
	for range 3 * maxDigests {
		key.ino++
		d.remember(key, strings.Repeat("L", 16))
	}
	if len(d.known) != maxDigests || len(d.order) != maxDigests {
		t.Errorf("%d are known, %d in order", len(d.known), len(d.order))
	}
	if _, ok := d.known[key]; !ok {
		t.Error("the newest is forgotten")
	}
	again, _ := digests(t, path)
	again.load()
	if len(again.known) != maxDigests || again.file.lines > 2*maxDigests {
		t.Errorf("%d were saved, in %d lines", len(again.known), again.file.lines)
	}
	if _, ok := again.known[key]; !ok || log.Len() > 0 {
		t.Error("the newest was not saved", log)
	}
}

func TestDigestsForManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	d, _ := digests(t, filepath.Join(dir, "digests"))
	text := strings.Repeat("hello", 200_000)
	var files []*os.File
	for _, name := range []string{"a", "b", "c", "d"} {
		files = append(files, vfstest.OpenFile(t, filepath.Join(dir, name), text))
	}
	var all sync.WaitGroup
	for i := range 32 {
		f := files[i%len(files)]
		all.Go(func() {
			for range 20 {
				d.is(t, f, text)
			}
		})
	}
	all.Wait()
	if len(d.busy) != 0 {
		t.Errorf("%d are busy", len(d.busy))
	}
}

// While one reads a file, others wait for what it finds; and when the file
// changes meanwhile, nothing is remembered.
func TestDigestsWhileAFileIsRead(t *testing.T) {
	dir := t.TempDir()
	d, _ := digests(t, filepath.Join(dir, "digests"))
	turn := make(chan struct{}) // reading begins when this is closed
	ctx := vfs.WithTurns(t.Context(), vfs.Turns{Name: "ada", Take: func(context.Context, string) (func(), error) {
		<-turn
		return func() {}, nil
	}})
	f := vfstest.OpenFile(t, filepath.Join(dir, "f"), "hello")
	key, err := keyOf(f, crypto.MD5)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		_, err := d.Of(ctx, f, crypto.MD5)
		read <- err
	}()
	var wait <-chan struct{}
	for wait == nil {
		time.Sleep(time.Millisecond)
		d.mu.Lock()
		wait = d.busy[digesting{key, "ada"}]
		d.mu.Unlock()
	}
	if sum, other, done := d.take(digesting{key, "ada"}); sum != nil || other != wait || done != nil {
		t.Error("another would read it, too")
	}
	d.is(t, f, "hello") // another account does not wait for the turns of this one
	clear(d.known)
	awaitTick(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("HELLO"), 0); err != nil {
		t.Fatal(err)
	}
	close(turn)
	if err := <-read; err != nil || len(d.known) != 0 {
		t.Errorf("%v; %d are remembered", err, len(d.known))
	}
	<-wait
}

// Who leaves holds up nobody, neither while it reads nor while it waits.
func TestDigestsEndWithTheClient(t *testing.T) {
	dir := t.TempDir()
	d, _ := digests(t, filepath.Join(dir, "digests"))
	f := vfstest.OpenFile(t, filepath.Join(dir, "f"), "hello")
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := d.Of(gone, f, crypto.MD5); !errors.Is(err, vfs.ErrCut) {
		t.Errorf("while it reads: %v", err)
	}
	key, err := keyOf(f, crypto.MD5)
	if err != nil {
		t.Fatal(err)
	}
	d.busy[digesting{key, ""}] = make(chan struct{}) // another, who never ends
	if _, err := d.Of(gone, f, crypto.MD5); !errors.Is(err, vfs.ErrCut) {
		t.Errorf("while it waits: %v", err)
	}
	delete(d.busy, digesting{key, ""})
	d.is(t, f, "hello")
}
