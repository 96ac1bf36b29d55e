package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/pkg/sftp"
)

// smallPartial is the setting partial_min_size of these tests, in bytes: small
// files make for many cuts.
const smallPartial = 4 << 10

// holdings is what a library has under the names of one writer. It is never
// changed, only replaced.
type holdings map[string]holding

type holding struct {
	file *held // published, or nil
	part claim
}

// held is a published file.
type held struct {
	content []byte
	mode    fs.FileMode
	mtime   int64 // Unix time that was set; 0 is not known
}

// claim is what may be left under a name of an upload that was cut: nothing,
// or the beginning of content, which is that of the last upload that was begun
// (OPEN with TRUNC or EXCL). Anything else, and be it a beginning of an older
// upload, would be gone on with by whoever resumes, and damage the file.
type claim struct {
	content []byte // nil: nothing may be left
	synced  int64  // bytes that fsync@openssh.com acknowledged: so many must be left
}

func (h holdings) with(name string, now holding) holdings {
	h = maps.Clone(h)
	h[name] = now
	return h
}

func (h holdings) withFile(name string, f *held) holdings {
	return h.with(name, holding{f, h[name].part})
}

func (h holdings) withPart(name string, c claim) holdings {
	return h.with(name, holding{h[name].file, c})
}

// known is what holds at one moment: what was acknowledged, or what the one
// request under way, if there is one, may have led to already.
type known struct {
	acked    holdings
	may      holdings // nil: there is none, or it changes nothing
	both     holdings // of a rename that may have been done by half: both names
	requests int      // so far
}

// states are all that may be found, with those of a rename done by half.
func (k known) states(half bool) []holdings {
	states := []holdings{k.acked}
	if k.may != nil {
		states = append(states, k.may)
	}
	if k.both != nil && half {
		states = append(states, k.both)
	}
	return states
}

// writer is one client of a library with names of its own, so that what it was
// told is all that there is to know of them.
type writer struct {
	id    int
	names []string
	lot   *rand.Rand
	dial  func() (*client, error)

	c      *client
	serial uint64 // of contents

	mu  *sync.Mutex // guards the following; who has it sees no request begin or end
	now known
	log []string
}

// begin notes a request that is about to be sent, and what it may lead to.
func (w *writer) begin(may, both holdings, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.may, w.now.both = may, both
	w.now.requests++
	w.log = append(w.log, what)
}

// acked notes that it was answered with OK.
func (w *writer) acked(now holdings) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.acked, w.now.may, w.now.both = now, nil, nil
	w.log[len(w.log)-1] += " OK"
}

// ask sends one request that leads from what is to next.
func (w *writer) ask(next holdings, send func() error, format string, args ...any) error {
	return w.askBoth(next, nil, send, fmt.Sprintf(format, args...))
}

func (w *writer) askBoth(next, both holdings, send func() error, what string) error {
	w.begin(next, both, what)
	if err := send(); err != nil {
		return fmt.Errorf("writer %d: %s: %w", w.id, what, err)
	}
	w.acked(next)
	return nil
}

// step does one thing that may be done as things are.
func (w *writer) step() error {
	if w.c == nil {
		var err error
		if w.c, err = w.dial(); err != nil {
			return err
		}
	}
	name, other := w.pick(), w.pick()
	h := w.now.acked
	here, there := h[name].file != nil, h[other].file != nil
	switch w.lot.IntN(13) {
	case 0, 1:
		return w.put(name, os.O_TRUNC)
	case 2, 3, 4:
		return w.cut(name)
	case 5, 6:
		if !here {
			return w.resume(name)
		}
		return w.modify(name)
	case 7:
		if !here {
			return w.put(name, os.O_EXCL)
		}
		return w.append(name)
	case 8:
		if here && !there && name != other {
			return w.rename(name, other, w.c.Rename, "rename")
		}
	case 9:
		if here && name != other {
			return w.rename(name, other, w.c.PosixRename, "posix-rename")
		}
	case 10:
		return w.remove(name)
	case 11:
		if here {
			return w.setAttr(name)
		}
	case 12:
		if here {
			return w.resize(name)
		}
	}
	return nil
}

func (w *writer) pick() string { return w.names[w.lot.IntN(len(w.names))] }

// fresh is content that no other upload has.
func (w *writer) fresh() []byte {
	w.serial++
	size := w.lot.Int64N(12 << 10)
	if w.lot.IntN(3) > 0 {
		size += smallPartial + w.lot.Int64N(32<<10)
	}
	return content(uint64(w.id)<<32|w.serial, size)
}

// upload opens a name with CREAT and how, and writes the first part of fresh
// content; it returns what the name holds once CLOSE is acknowledged.
func (w *writer) upload(name string, how int, part func(size int64) int64) (*sftp.File, held, error) {
	v := held{content: w.fresh(), mode: 0o644}
	before := w.now.acked
	if old := before[name].file; old != nil {
		v.mode = old.mode
	}
	begun := before.withPart(name, claim{content: v.content})
	size := part(int64(len(v.content)))
	var f *sftp.File
	err := w.ask(begun, func() (err error) {
		f, err = w.c.OpenFile(name, os.O_WRONLY|os.O_CREATE|how)
		return err
	}, "open %s flags %#x for %d bytes, %x...", name, how, len(v.content), v.content[:min(4, len(v.content))])
	if err != nil {
		return f, v, err
	}
	return f, v, w.write(f, name, v.content, 0, size)
}

// write sends content from one offset to another in pieces; it may have what
// is there by then synced.
func (w *writer) write(f *sftp.File, name string, text []byte, from, to int64) error {
	for from < to {
		n := min(to-from, 1+w.lot.Int64N(16<<10))
		if _, err := f.WriteAt(text[from:from+n], from); err != nil {
			return fmt.Errorf("write to %s at %d: %w", name, from, err)
		}
		from += n
		if w.lot.IntN(4) > 0 {
			continue
		}
		if err := w.sync(f, name, text, from); err != nil {
			return err
		}
	}
	return nil
}

// sync has the first size bytes of an upload synced. They survive as what can
// be resumed if that is worth it and nothing is published under the name.
func (w *writer) sync(f *sftp.File, name string, text []byte, size int64) error {
	next := w.now.acked
	if h := next[name]; h.file == nil && size >= smallPartial {
		next = next.withPart(name, claim{text, size})
	}
	return w.ask(next, f.Sync, "fsync %s with %d bytes", name, size)
}

func (w *writer) put(name string, how int) error {
	f, v, err := w.upload(name, how, func(size int64) int64 { return size })
	if err != nil {
		return err
	}
	if w.lot.IntN(4) == 0 {
		v.mode = 0o640
		if err := f.Chmod(v.mode); err != nil {
			return fmt.Errorf("fsetstat %s: %w", name, err)
		}
	}
	return w.publish(f, name, v, claim{content: v.content})
}

// publish closes an upload.
func (w *writer) publish(f *sftp.File, name string, v held, c claim) error {
	next := w.now.acked.with(name, holding{&v, c})
	return w.ask(next, f.Close, "close %s with %d bytes", name, len(v.content))
}

// cut begins an upload and drops the connection.
func (w *writer) cut(name string) error {
	_, _, err := w.upload(name, os.O_TRUNC, func(size int64) int64 { return w.lot.Int64N(size + 1) })
	if err != nil {
		return err
	}
	w.begin(nil, nil, "cut off")
	w.c.cut(w.lot.IntN(2) == 0)
	w.c.close()
	w.c = nil
	return nil
}

// resume does what reput does: it asks for the size, and writes what follows.
// What was synced before is promised until then: who goes on takes it back.
func (w *writer) resume(name string) error {
	text := w.now.acked[name].part.content
	i, err := w.c.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was kept, or not yet
	}
	if err != nil {
		return err
	}
	if i.Size() > int64(len(text)) {
		return fmt.Errorf("writer %d: STAT says that %d bytes of %s are there, of %d", w.id, i.Size(), name, len(text))
	}
	taken := w.now.acked.withPart(name, claim{content: text})
	var f *sftp.File
	err = w.ask(taken, func() (err error) {
		f, err = w.c.OpenFile(name, os.O_WRONLY|os.O_CREATE)
		return err
	}, "open %s to resume at %d of %d", name, i.Size(), len(text))
	if err != nil {
		return err
	}
	if err := w.write(f, name, text, i.Size(), int64(len(text))); err != nil {
		return err
	}
	return w.publish(f, name, held{content: text, mode: 0o644}, claim{content: text})
}

// modify overwrites a piece of a published file.
func (w *writer) modify(name string) error {
	old := w.now.acked[name].file
	text := slices.Clone(old.content)
	piece := w.fresh()
	off := w.lot.Int64N(int64(len(text)) + 1)
	text = append(text[:off], append(slices.Clone(piece), text[min(int64(len(text)), off+int64(len(piece))):]...)...)
	return w.change(name, os.O_WRONLY, piece, off, text)
}

func (w *writer) append(name string) error {
	old, piece := w.now.acked[name].file, w.fresh()
	return w.change(name, os.O_WRONLY|os.O_APPEND, piece, int64(len(old.content)), slices.Concat(old.content, piece))
}

// change opens a published file, writes a piece and closes.
func (w *writer) change(name string, flags int, piece []byte, off int64, text []byte) error {
	old := w.now.acked[name]
	f, err := w.c.OpenFile(name, flags)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	if _, err := f.WriteAt(piece, off); err != nil {
		return fmt.Errorf("write to %s: %w", name, err)
	}
	v := held{content: text, mode: old.file.mode}
	if len(piece) == 0 {
		v.mtime = old.file.mtime // nothing is published anew
	}
	return w.publish(f, name, v, old.part)
}

func (w *writer) rename(from, to string, how func(from, to string) error, word string) error {
	h := w.now.acked
	both := h.with(to, holding{h[from].file, claim{content: h[to].part.content}})
	next := both.withFile(from, nil)
	return w.askBoth(next, both, func() error { return how(from, to) }, fmt.Sprintf("%s %s %s", word, from, to))
}

// remove removes a file, or what could be resumed.
func (w *writer) remove(name string) error {
	h := w.now.acked
	next := h.withFile(name, nil)
	if h[name].file == nil {
		if _, err := w.c.Stat(name); err != nil {
			return nil // there is nothing, or not yet
		}
		next = h.withPart(name, claim{})
	}
	return w.ask(next, func() error { return w.c.Remove(name) }, "remove %s", name)
}

func (w *writer) setAttr(name string) error {
	v := *w.now.acked[name].file
	if w.lot.IntN(2) == 0 {
		v.mode = []fs.FileMode{0o600, 0o640, 0o644, 0o666}[w.lot.IntN(4)]
		next := w.now.acked.withFile(name, &v)
		return w.ask(next, func() error { return w.c.Chmod(name, v.mode) }, "chmod %s %o", name, v.mode)
	}
	v.mtime = 1 + w.lot.Int64N(1<<30)
	next := w.now.acked.withFile(name, &v)
	when := time.Unix(v.mtime, 0)
	return w.ask(next, func() error { return w.c.Chtimes(name, when, when) }, "utimes %s %d", name, v.mtime)
}

func (w *writer) resize(name string) error {
	old := w.now.acked[name].file
	size := w.lot.Int64N(int64(len(old.content)) + 4<<10)
	if size == int64(len(old.content)) {
		return nil
	}
	v := held{mode: old.mode, content: slices.Concat(old.content, make([]byte, 4<<10))[:size]}
	next := w.now.acked.withFile(name, &v)
	return w.ask(next, func() error { return w.c.Truncate(name, size) }, "truncate %s to %d", name, size)
}

// differs says in what a state differs from what was found, or nothing.
func (h holdings) differs(found map[string]held) (differences []string) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		want := h[name].file
		got, ok := found[name]
		switch {
		case want == nil && ok:
			differences = append(differences, fmt.Sprintf("%s should not be there, and has %d bytes", name, len(got.content)))
		case want == nil:
		case !ok:
			differences = append(differences, fmt.Sprintf("%s is lost (%d bytes)", name, len(want.content)))
		case !bytes.Equal(got.content, want.content):
			differences = append(differences, fmt.Sprintf("%s has other content: %d bytes, not the %d it should", name, len(got.content), len(want.content)))
		case got.mode != want.mode:
			differences = append(differences, fmt.Sprintf("%s has mode %o, not %o", name, got.mode, want.mode))
		case want.mtime != 0 && got.mtime != want.mtime:
			differences = append(differences, fmt.Sprintf("%s has mtime %d, not %d", name, got.mtime, want.mtime))
		}
	}
	return differences
}
