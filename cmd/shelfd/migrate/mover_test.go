package migrate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/vfstest"
)

// moving is a run between two libraries, and what it says.
type moving struct {
	*mover
	out, faults bytes.Buffer
}

func newMoving(t *testing.T, from, to vfs.Library) *moving {
	t.Helper()
	known, err := openRecord(t.TempDir(), "from to", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(known.close)
	m := &moving{mover: &mover{options: options{jobs: 2}, from: from, to: to, owner: ".migrate", known: known}}
	m.report = &report{out: &m.out, faults: &m.faults}
	return m
}

// run copies, and returns how many files became what.
func (m *moving) run(t *testing.T) [outcomes]int64 {
	t.Helper()
	m.report.files = [outcomes]int64{}
	if err := m.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m.report.files
}

func get(t *testing.T, l vfs.Library, name string) string {
	t.Helper()
	f, err := l.Open(t.Context(), name)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A library that gives back something else than it got is found out.
func TestVerifies(t *testing.T) {
	from, to := vfstest.NewMemory(), vfstest.NewMemory()
	vfstest.Put(t, from, "f", "text")
	m := newMoving(t, from, altering{to})
	if got := m.run(t); got[failed] != 1 || got[copied] != 0 {
		t.Errorf("%v\n%s", got, &m.faults)
	}
	if !strings.Contains(m.faults.String(), "f: what TO has is not what was sent") {
		t.Errorf("it said %q", &m.faults)
	}
	if err := m.report.end(true); err == nil {
		t.Error("it ended well")
	}
	// It is not taken for done.
	m.to = to
	if got := m.run(t); got[asItWas] != 1 {
		t.Errorf("%v\n%s", got, &m.faults)
	}
}

// altering changes what is read.
type altering struct{ vfs.Library }

func (a altering) Open(ctx context.Context, name string) (vfs.File, error) {
	f, err := a.Library.Open(ctx, name)
	return altered{f}, err
}

type altered struct{ vfs.File }

func (a altered) ReadAt(p []byte, off int64) (int, error) {
	n, err := a.File.ReadAt(p, off)
	if n > 0 {
		p[0]++
	}
	return n, err
}

// What fails is told and leaves nothing; of what is uncertain it is looked what became.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		call  vfstest.Call
		of    string
		err   error
		there bool
	}{
		{vfstest.ReadAt, "from", &vfs.Error{Kind: vfs.ErrIO}, false},
		{vfstest.Open, "from", &vfs.Error{Kind: vfs.ErrIO}, false},
		{vfstest.WriteAt, "to", &vfs.Error{Kind: vfs.ErrNoSpace}, false},
		{vfstest.Commit, "to", &vfs.Error{Kind: vfs.ErrUnavailable}, false},
		{vfstest.Commit, "to", &vfs.Error{Kind: vfs.ErrUncertain}, true},
	} {
		from, to := vfstest.NewFaulty(vfstest.NewMemory()), vfstest.NewFaulty(vfstest.NewMemory())
		vfstest.Put(t, from, "f", "text")
		map[string]*vfstest.Faulty{"from": from, "to": to}[c.of].Fail(c.call, 1, c.err)
		m := newMoving(t, from, to)
		got := m.run(t)
		if (got[copied] == 1) != c.there || (got[failed] == 0) != c.there {
			t.Errorf("%s of %s: %v\n%s", c.call, c.of, got, &m.faults)
		}
		if there := get(t, to.Library, "f") == "text"; there != c.there {
			t.Errorf("%s of %s: it is %q", c.call, c.of, get(t, to.Library, "f"))
		}
		if got := m.run(t); got[copied]+got[asItWas] != 1 || get(t, to, "f") != "text" {
			t.Errorf("%s of %s: once more: %v\n%s", c.call, c.of, got, &m.faults)
		}
	}
}

// A file that is replaced while it is copied is copied again.
func TestChangesMeanwhile(t *testing.T) {
	from, to := vfstest.NewMemory(), vfstest.NewMemory()
	vfstest.Put(t, from, "f", "old")
	changes := 0
	m := newMoving(t, opening{from, func() {
		if changes++; changes == 1 {
			vfstest.Put(t, from, "f", "new")
		}
	}}, to)
	if got := m.run(t); got[copied] != 1 || get(t, to, "f") != "new" {
		t.Errorf("%v, %q\n%s", got, get(t, to, "f"), &m.faults)
	}
}

// What a client puts into TO while a newer file is sent there is not replaced.
func TestTakenMeanwhile(t *testing.T) {
	from, to := vfstest.NewMemory(), vfstest.NewMemory()
	vfstest.Put(t, from, "f", "old")
	m := newMoving(t, from, to)
	m.run(t)
	vfstest.Put(t, from, "f", strings.Repeat("newer", piece))
	m.from = reading{from, func() { vfstest.Put(t, to, "f", "a client's") }}
	if got := m.run(t); got[failed] != 1 || get(t, to, "f") != "a client's" {
		t.Errorf("%v, %.20q\n%s", got, get(t, to, "f"), &m.faults)
	}
	m.from = from
	if got := m.run(t); got[another] != 1 || get(t, to, "f") != "a client's" {
		t.Errorf("once more: %v, %.20q\n%s", got, get(t, to, "f"), &m.faults)
	}
}

// A file that was published, but perhaps not with its mode and time, gets these.
func TestUncertainAttributes(t *testing.T) {
	from, to := vfstest.NewMemory(), vfstest.NewMemory()
	vfstest.Put(t, from, "f", "text")
	if _, err := from.SetAttr(t.Context(), "f", vfs.Attr{HasMode: true, Mode: 0o600, HasTimes: true, Mtime: time.Unix(1e9, 0)}); err != nil {
		t.Fatal(err)
	}
	m := newMoving(t, from, undressed{to})
	got := m.run(t)
	i, err := to.Stat(t.Context(), "f")
	if err != nil || got[copied] != 1 || i.Mode != 0o600 || i.ModTime.Unix() != 1e9 {
		t.Errorf("%v, %v, %v, %v\n%s", got, i.Mode, i.ModTime, err, &m.faults)
	}
}

// undressed publishes without mode and time, and is uncertain of it.
type undressed struct{ vfs.Library }

func (l undressed) Create(ctx context.Context, name string, o vfs.CreateOptions) (vfs.Upload, error) {
	u, err := l.Library.Create(ctx, name, o)
	return undressedUpload{u}, err
}

type undressedUpload struct{ vfs.Upload }

func (u undressedUpload) SetAttr(vfs.Attr) error { return nil }

func (u undressedUpload) Commit(ctx context.Context) (vfs.Change, error) {
	c, err := u.Upload.Commit(ctx)
	if err == nil {
		err = &vfs.Error{Kind: vfs.ErrUncertain}
	}
	return c, err
}

// opening calls a function when a file has been opened.
type opening struct {
	vfs.Library
	then func()
}

func (o opening) Open(ctx context.Context, name string) (vfs.File, error) {
	f, err := o.Library.Open(ctx, name)
	o.then()
	return f, err
}

// A run that is stopped says so, and leaves what can be gone on with.
func TestStopped(t *testing.T) {
	from, to := vfstest.NewMemory(), vfstest.NewMemory()
	text := strings.Repeat("0123456789abcdef", 5<<16)
	vfstest.Put(t, from, "f", text)
	ctx, stop := context.WithCancel(t.Context())
	m := newMoving(t, reading{from, stop}, to)
	if err := m.all(ctx); err == nil || !strings.Contains(err.Error(), "run it again") {
		t.Errorf("it ended with %v", err)
	}
	if i, err := to.Partial(t.Context(), ".migrate", "f"); err != nil || i.Size == 0 {
		t.Fatalf("what is left is %d bytes, %v", i.Size, err)
	}
	m = newMoving(t, from, to)
	if got := m.run(t); got[copied] != 1 || get(t, to, "f") != text || !strings.Contains(m.out.String(), "f goes on after") {
		t.Errorf("%v, %s", got, &m.out)
	}
	// What is left of another file is not gone on with.
	vfstest.Put(t, from, "g", text)
	u, err := to.Create(t.Context(), "g", vfs.CreateOptions{Create: true, Owner: ".migrate"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = u.WriteAt([]byte(strings.Repeat("x", 2<<20)), 0)
	k, _ := vfs.As[vfs.Keeper](u)
	if err := errors.Join(err, k.Keep()); err != nil {
		t.Fatal(err)
	}
	if got := m.run(t); got[copied] != 1 || get(t, to, "g") != text {
		t.Errorf("%v\n%s", got, &m.faults)
	}
}

// reading calls a function when a file is read past its first piece.
type reading struct {
	vfs.Library
	then func()
}

func (r reading) Open(ctx context.Context, name string) (vfs.File, error) {
	f, err := r.Library.Open(ctx, name)
	return readFile{f, r.then}, err
}

type readFile struct {
	vfs.File
	then func()
}

func (r readFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= 2*piece {
		r.then()
	}
	return r.File.ReadAt(p, off)
}

// What was done is remembered, but for a line that was not written to its end.
func TestRecord(t *testing.T) {
	state := t.TempDir()
	open := func(dry bool) *record {
		r, err := openRecord(state, "from to", dry)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open(false)
	if _, err := openRecord(state, "from to", false); err == nil {
		t.Error("two have the same record")
	}
	from, to := vfs.Info{Name: "f", Version: vfs.VersionOf(1)}, vfs.Info{Name: "f", Version: vfs.VersionOf(2)}
	if err := r.done(from, to); err != nil {
		t.Fatal(err)
	}
	r.file.WriteString(`{"name":"f","fr`) // killed here
	r.close()
	r = open(true)
	if ours, same := r.has(from, to); !ours || !same {
		t.Errorf("%v, %v: %+v", ours, same, r)
	}
	if ours, same := r.has(to, to); !ours || same {
		t.Errorf("of a file that changed: %v, %v", ours, same)
	}
	if ours, _ := r.has(from, from); ours {
		t.Error("of a file that others changed")
	}
}
