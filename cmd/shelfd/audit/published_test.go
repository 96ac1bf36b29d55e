package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"shelf/cmd/shelfd/audit"
	"shelf/sshd"
	"shelf/vfs"
)

// uploaded is the event of an upload by an account.
func uploaded(account, name string) sshd.Event {
	return sshd.Event{Op: audit.OpPut, Account: account, Library: "in", Name: name, New: true, File: &vfs.Content{Size: 1}}
}

// find finds the number of the last line that fits; 0 is none.
func find(t *testing.T, p *audit.Published, w audit.Wanted) uint64 {
	t.Helper()
	w.Library = "in"
	l, err := p.Last(context.Background(), w)
	if err != nil && !errors.Is(err, audit.ErrNoLine) {
		t.Fatal(err)
	}
	return l.Seq
}

// Each line is found in a log of several pieces and files, while it grows.
func TestPublishedFindsEachLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{})
	defer l.Close()
	p := audit.NewPublished(path)
	if n := find(t, p, audit.Wanted{Name: "file0"}); n != 0 {
		t.Errorf("line %d of a log that has none", n)
	}
	const lines = 10_000 // of some 5000 bytes: two pieces in each of the files
	pad := strings.Repeat("x", 10_000)
	for n := range lines {
		e := uploaded("ada", fmt.Sprint("file", n))
		e.ClientVersion = pad[:n*7%10_000] // so that lines end anywhere in a piece
		l.Report(e)
		if n%1000 == 0 { // while the piece is not whole
			if got := find(t, p, audit.Wanted{Name: e.Name}); got != uint64(n+1) {
				t.Errorf("line %d is found for %s", got, e.Name)
			}
		}
		if n == lines/2 {
			if err := errors.Join(os.Rename(path, path+".1"), l.Reopen()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() < 20<<20 {
		t.Fatalf("%v: the file has %d bytes, which is one piece", err, info.Size())
	}
	for _, p := range []*audit.Published{p, audit.NewPublished(path)} {
		for n := 0; n < lines; n += 1 + n%7 {
			if got := find(t, p, audit.Wanted{Name: fmt.Sprint("file", n)}); got != uint64(n+1) {
				t.Fatalf("line %d is found for file%d", got, n)
			}
		}
		if got := find(t, p, audit.Wanted{Name: "file0", Account: "bob"}) + find(t, p, audit.Wanted{Name: "file"}); got != 0 {
			t.Error("a line is found that there is not")
		}
	}
}

// What was read once is not read again: ten thousand who ask for a receipt that there
// is not take a turn a piece each, and read nothing.
func TestPublishedIsReadOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{})
	defer l.Close()
	for n := range 1000 {
		l.Report(uploaded("ada", fmt.Sprint("file", n)))
	}
	p := audit.NewPublished(path)
	turns := 0
	ctx := vfs.WithTurns(context.Background(), vfs.Turns{Name: "guest", Take: func(_ context.Context, name string) (func(), error) {
		if name != "guest" {
			t.Errorf("the turn of %s", name)
		}
		turns++
		return func() {}, nil
	}})
	var before, after syscalls
	const times = 10_000
	for n := range times {
		if n == 1 {
			before.read(t)
		}
		if _, err := p.Last(ctx, audit.Wanted{Library: "in", Name: fmt.Sprint("nothing", n), Account: "guest"}); !errors.Is(err, audit.ErrNoLine) {
			t.Fatal(err)
		}
	}
	after.read(t)
	if turns != times {
		t.Errorf("%d turns", turns)
	}
	if bytes := after.bytes - before.bytes; bytes > times*1000 {
		t.Errorf("%d bytes are read", bytes)
	}
}

// Many may ask while the log grows and its files are renamed.
func TestPublishedWhileManyAsk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{MaxSize: 20_000})
	defer l.Close()
	p := audit.NewPublished(path)
	var all sync.WaitGroup
	for asker := range 4 {
		all.Go(func() {
			for n := range 100 {
				name := fmt.Sprint("file", asker, "-", n)
				l.Report(uploaded("ada", name))
				line, err := p.Last(context.Background(), audit.Wanted{Library: "in", Name: name, Account: "ada"})
				if err != nil || line.Name != name {
					t.Errorf("%s: %+v %v", name, line, err)
				}
			}
		})
	}
	all.Wait()
	if files := audit.Files(path); len(files) < 3 {
		t.Errorf("only %v", files)
	}
}

// syscalls is what this process has read.
type syscalls struct{ bytes int64 }

func (s *syscalls) read(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip(err)
	}
	if _, err := fmt.Sscanf(string(text), "rchar: %d", &s.bytes); err != nil {
		t.Fatal(err)
	}
}

// What is found is the last line that gives the name, and none that only seems to.
func TestPublishedTellsLinesApart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{})
	defer l.Close()
	content := &vfs.Content{Size: 1}
	odd := `a"b\c,"name":"x"` + "\x1b\xff é\u2028"
	for _, e := range []sshd.Event{
		uploaded("ada", "a"), // 1
		{Op: audit.OpPut, Account: "bob", Library: "in", Name: "a", Replaced: content, File: content},                  // 2
		{Op: audit.OpPut, Account: "eve", Library: "in", Name: "a", File: content},                                     // 3: attributes
		{Op: audit.OpPut, Account: "eve", Library: "in", Name: "a", New: true, File: content, Err: errors.New("full")}, // 4
		{Op: audit.OpPut, Account: "eve", Library: "out", Name: "a", New: true, File: content},                         // 5
		{Op: "get", Account: "eve", Library: "in", Name: "a", File: content},                                           // 6
		{Op: audit.OpRename, Account: "bob", Library: "in", Name: "a", Target: "b", New: true, File: content},          // 7
		uploaded("ada", odd), // 8
		{Op: audit.OpRecovered, Library: "in", Name: "c", File: content},                                                                                 // 9
		{Op: audit.OpRename, Account: "bob", Library: "in", Name: `","op":"put","result":"ok","new":true,"name":"d`, Target: "e", Err: errors.New("no")}, // 10
	} {
		l.Report(e)
	}
	p := audit.NewPublished(path)
	for _, row := range []struct {
		name, account string
		before, want  uint64
	}{
		{"a", "", 0, 2}, {"a", "ada", 0, 1}, {"a", "bob", 0, 2}, {"a", "eve", 0, 0}, {"a", "", 2, 1}, {"a", "", 1, 0},
		{"b", "", 0, 7}, {"b", "bob", 0, 7}, {"b", "ada", 0, 0}, {vfs.Escape(odd), "ada", 0, 8}, {"x", "", 0, 0}, {"c", "", 0, 9}, {"d", "", 0, 0}, {"e", "", 0, 0},
	} {
		if got := find(t, p, audit.Wanted{Name: row.name, Account: row.account, Before: row.before}); got != row.want {
			t.Errorf("%+v: line %d", row, got)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Last(context.Background(), audit.Wanted{Library: "in", Name: "a"}); err == nil || errors.Is(err, audit.ErrNoLine) {
		t.Errorf("a log that is not there has no line: %v", err)
	}
}

// Who waits for a turn holds one file, however many there are.
func TestPublishedOpensOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{})
	defer l.Close()
	for n := range 20 {
		l.Report(uploaded("ada", fmt.Sprint("file", n)))
		if err := errors.Join(os.Rename(path, fmt.Sprint(path, ".", n)), l.Reopen()); err != nil {
			t.Fatal(err)
		}
	}
	ours := func() (n int) {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		for _, fd := range all {
			if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, path) {
				n++
			}
		}
		return n
	}
	most, before := 0, ours()
	ctx := vfs.WithTurns(context.Background(), vfs.Turns{Take: func(context.Context, string) (func(), error) {
		most = max(most, ours()-before)
		return func() {}, nil
	}})
	if _, err := audit.NewPublished(path).Last(ctx, audit.Wanted{Library: "in", Name: "file0"}); err != nil || most > 1 || ours() != before {
		t.Errorf("%d files are open at a time (%v)", most, err)
	}
}

// What stands behind the line before which one is wanted is not read line by line.
func TestPublishedBeforeMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{})
	defer l.Close()
	for range 2000 {
		l.Report(uploaded("ada", "file"))
	}
	p := audit.NewPublished(path)
	find(t, p, audit.Wanted{Name: "nothing"})
	var before, after syscalls
	before.read(t)
	if got := find(t, p, audit.Wanted{Name: "file", Before: 2}); got != 1 {
		t.Errorf("line %d", got)
	}
	after.read(t)
	if bytes := after.bytes - before.bytes; bytes > 1<<20 {
		t.Errorf("%d bytes are read", bytes)
	}
}
