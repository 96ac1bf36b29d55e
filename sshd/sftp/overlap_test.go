package sftp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"shelf/vfs/access"
	"shelf/vfs/local"
)

// Of two uploads of one name in one session the last CLOSE wins, whichever was
// opened first, if it was written to since the other was opened.
func TestLastCloseWins(t *testing.T) {
	each(t, all(), func(t *testing.T, mine, other *client) {
		mine.put("f", "0123456789")
		q, err := mine.OpenFile("f", os.O_RDWR)
		mine.ok(err)
		p, err := mine.OpenFile("f", os.O_RDWR)
		mine.ok(err)
		mine.ok(second2(p.WriteAt([]byte("BB"), 8)), second2(q.WriteAt([]byte("AA"), 0)), p.Close(), q.Close())
		other.has("f", "AA23456789")

		q, err = mine.OpenFile("f", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		mine.ok(err)
		p, err = mine.OpenFile("f", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		mine.ok(err)
		mine.ok(second2(p.Write([]byte("p"))), second2(q.Write([]byte("q, closed last"))), p.Close(), q.Close())
		other.has("f", "q, closed last")
	})
}

// To open an upload once more and to close that again changes nothing: the
// first still answers by its name.
func TestSecondHandleUncovers(t *testing.T) {
	each(t, all(), func(t *testing.T, mine, other *client) {
		q := mine.begin("g", "hello", os.O_CREATE|os.O_EXCL)
		p, err := mine.OpenFile("g", os.O_RDWR)
		mine.ok(err, p.Close())
		if i, err := mine.Stat("g"); err != nil || i.Size() != 5 {
			t.Fatalf("STAT: %v, %v", i, err)
		}
		mine.ok(mine.Rename("g", "h"), q.Close())
		other.has("h", "hello")
		other.hasNot("g")
	})
}

// touch over sshfs sets times by a handle that is closed before the first.
func TestTimesOfSecondHandle(t *testing.T) {
	each(t, all(), func(t *testing.T, mine, other *client) {
		q := mine.begin("g", "hello", os.O_CREATE|os.O_EXCL)
		p, err := mine.OpenFile("g", os.O_WRONLY)
		when := time.Unix(1_000_000_000, 0)
		mine.ok(err, mine.Chtimes("g", when, when), p.Close(), q.Close())
		if i, err := other.Stat("g"); err != nil || !i.ModTime().Equal(when) {
			t.Errorf("its time is not the one set: %v, %v", i, err)
		}
	})
}

// An upload that has failed is not renamed, and neither is what is published.
func TestRenameOfFailedUpload(t *testing.T) {
	dir, err := local.Open(t.TempDir(), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	mine := dial(t, options{Options: access.Options{Library: dir, Permissions: all(), Account: "ada", MaxFileSize: 100}})
	mine.put("f", "old")
	p, err := mine.OpenFile("f", os.O_RDWR)
	mine.ok(err)
	if _, err := p.WriteAt(make([]byte, 200), 0); err == nil {
		t.Fatal("the limit does not hold")
	}
	if mine.PosixRename("f", "n") == nil {
		t.Error("RENAME of an upload that failed is OK")
	}
	if _, err := dir.Stat(context.Background(), "n"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the published file was renamed all the same")
	}
	if p.Close() == nil {
		t.Error("CLOSE is OK")
	}
	mine.has("f", "old")
	mine.end()
}

// copy-data stops where the file ended when it began: it may be what is written.
func TestCopyDataOfWhatGrows(t *testing.T) {
	dir, err := local.Open(t.TempDir(), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	c, in, out := serve(t, options{Options: access.Options{Library: dir, Permissions: all(), Account: "ada", MaxFileSize: 64 << 20}})
	defer c.end()
	r := raw{t, in, out}
	r.ask(1, cat(3))
	w := r.open("x", writeFlag|createFlag)
	const half = 200_000
	for i := range 2 {
		r.ask(6, cat(1, w, uint64(i*half), strings.Repeat("x", half)))
	}
	draft := r.open("x", readFlag)
	if code := r.code(200, cat(7, "copy-data", draft, uint64(0), uint64(0), w, uint64(2*half))); code != 0 {
		t.Errorf("copy-data: status %d", code)
	}
	_, attrs := r.ask(8, cat(1, w))
	if size := binary.BigEndian.Uint64(attrs[8:]); size != 4*half {
		t.Errorf("there are %d bytes, want %d", size, 4*half)
	}
}

// An upload whose base becomes shorter fails, and says so: its end is not that
// of the file.
func TestBaseThatShrinks(t *testing.T) {
	dir, err := local.Open(t.TempDir(), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	mine := dial(t, options{Options: access.Options{Library: dir, Permissions: all(), Account: "ada"}})
	q := mine.begin("g", "hello world", os.O_CREATE|os.O_EXCL)
	p, err := mine.OpenFile("g", os.O_RDWR)
	mine.ok(err, second2(p.WriteAt([]byte("!"), 11)), q.Truncate(2), q.Close())
	if err := p.Close(); err == nil || strings.Contains(err.Error(), "EOF") {
		t.Errorf("CLOSE: %v", err)
	}
	mine.end()
}
