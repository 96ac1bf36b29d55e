package local_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"
	"time"

	"shelf/vfs"
	"shelf/vfs/local"
)

// FuzzUpload drives uploads over one name and compares what they read and what
// is published with byte slices. Each four bytes of the input are a step.
func FuzzUpload(f *testing.F) {
	f.Add([]byte("\x00\x02\x00\x00\x01\x00\x09\x05\x05\x00\x00\x00\x00\x01\x00\x00\x01\x03\x04\x02\x02\x00\x02\x00\x05\x00\x00\x00"))
	f.Add([]byte("\x00\x03\x00\x00\x01\x00\xff\x05\x02\x00\x10\x00\x02\x01\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x06\x00\x00\x00"))
	f.Add([]byte("\x00\x01\x00\x00\x01\x00\x40\x07\x07\x00\x00\x00\x00\x00\x00\x00\x01\x00\x50\x03\x05\x00\x00\x00"))
	path := f.TempDir()
	f.Fuzz(func(t *testing.T, steps []byte) {
		lib, err := os.MkdirTemp(path, "")
		if err != nil {
			t.Fatal(err)
		}
		d := reopen(t, lib, local.Options{Durability: local.NoFsync, Partials: &local.PartialRules{MinSize: 1, PerAccount: 32, MaxAge: time.Hour}})
		m := machine{t: t, d: d}
		for ; len(steps) >= 4; steps = steps[4:] {
			m.step(steps[0]%8, steps[1], steps[2], steps[3])
		}
		m.end(vfs.Upload.Abort)
		m.check()
		d.Close()
		os.RemoveAll(lib)
	})
}

// machine is a name and at most one upload of it, beside what they should hold.
type machine struct {
	t         *testing.T
	d         *local.Dir
	there     bool
	published []byte
	partial   []byte // nil is none

	up      vfs.Upload
	o       vfs.CreateOptions
	data    []byte
	written []bool // what a partial would need
	based   bool
	changed bool
}

func (m *machine) step(op, a, b, c byte) {
	switch op {
	case 0:
		m.open(vfs.CreateOptions{Create: a&1 != 0, Truncate: a&2 != 0, Exclusive: a&4 != 0, NoReplace: a&8 != 0, Owner: "ada"})
	case 1, 2:
		m.write(int(a)<<4|int(b)&15, bytes.Repeat([]byte{c | 1}, int(b)+1))
	case 3:
		m.resize(int(a)<<4 | int(b)&15)
	case 4:
		m.read(int(a)<<4, int(b))
	case 5:
		m.commit()
	case 6:
		m.end(vfs.Upload.Abort)
	case 7:
		m.keep()
	}
}

func (m *machine) open(o vfs.CreateOptions) {
	m.end(vfs.Upload.Abort)
	u, err := m.d.Create(m.t.Context(), "f", o)
	resumes := !m.there && m.partial != nil && !o.Truncate && !o.Exclusive
	works := o.Create || m.there || resumes
	if m.there && (o.Create && o.Exclusive || o.NoReplace) {
		works = false
	}
	if (err == nil) != works {
		m.t.Fatalf("Create %+v, there %v, partial %v: %v", o, m.there, m.partial != nil, err)
	}
	// What is refused loses nothing: without CREAT there is no new upload.
	if !m.there && (o.Create && (o.Truncate || o.Exclusive) || resumes) {
		defer func() { m.partial = nil }()
	}
	if err != nil {
		return
	}
	m.up, m.o, m.data, m.written = u, o, nil, nil
	m.based = m.there && !o.Truncate
	m.changed = !m.based
	if m.based {
		m.data = bytes.Clone(m.published)
	}
	if resumes {
		m.data = bytes.Clone(m.partial)
		m.written = make([]bool, len(m.data))
		for i := range m.written {
			m.written[i] = true
		}
	}
}

func (m *machine) write(off int, p []byte) {
	if m.up == nil {
		return
	}
	if n, err := m.up.WriteAt(p, int64(off)); n != len(p) || err != nil {
		m.t.Fatal(n, err)
	}
	m.grow(off + len(p))
	copy(m.data[off:], p)
	for len(m.written) < off+len(p) {
		m.written = append(m.written, false)
	}
	for i := range p {
		m.written[off+i] = true
	}
	m.changed = true
}

func (m *machine) grow(size int) {
	m.data = append(m.data, make([]byte, max(0, size-len(m.data)))...)
}

func (m *machine) resize(size int) {
	if m.up == nil {
		return
	}
	if err := m.up.SetAttr(vfs.Attr{HasSize: true, Size: int64(size)}); err != nil {
		m.t.Fatal(err)
	}
	m.changed = m.changed || size != len(m.data)
	m.grow(size)
	m.data = m.data[:size]
	m.written = m.written[:min(size, len(m.written))]
}

func (m *machine) read(off, n int) {
	if m.up == nil || n == 0 {
		return
	}
	p := make([]byte, n)
	got, err := m.up.ReadAt(p, int64(off))
	want := m.data[min(off, len(m.data)):min(off+n, len(m.data))]
	if !bytes.Equal(p[:got], want) || (err == io.EOF) != (len(want) < n) || err != nil && err != io.EOF {
		m.t.Fatalf("read %d at %d: %d, %v", n, off, got, err)
	}
}

func (m *machine) commit() {
	if m.up == nil {
		return
	}
	if _, err := m.up.Commit(context.Background()); err != nil {
		m.t.Fatal(err)
	}
	m.there, m.published, m.up = true, m.data, nil
	m.check()
}

func (m *machine) keep() {
	if m.up == nil {
		return
	}
	if err := keep(m.up); err != nil {
		m.t.Fatal(err)
	}
	m.up = nil
	n := 0
	for n < len(m.written) && m.written[n] {
		n++
	}
	if !m.there && !m.based && n > 0 {
		m.partial = m.data[:n]
	}
	m.check()
}

func (m *machine) end(how func(vfs.Upload) error) {
	if m.up == nil {
		return
	}
	if err := how(m.up); err != nil {
		m.t.Fatal(err)
	}
	m.up = nil
	m.check()
}

// check compares what others see.
func (m *machine) check() {
	i, err := m.d.Stat(m.t.Context(), "f")
	if (err == nil) != m.there {
		m.t.Fatalf("there: %v, %v", i, err)
	}
	if m.there {
		f, err := m.d.Open(m.t.Context(), "f")
		if err != nil {
			m.t.Fatal(err)
		}
		defer f.Close()
		if got := make([]byte, len(m.published)+1); true {
			n, err := f.ReadAt(got, 0)
			if err != io.EOF || !bytes.Equal(got[:n], m.published) {
				m.t.Fatalf("published %d bytes, want %d: %v", n, len(m.published), err)
			}
		}
		return
	}
	want := int64(-1)
	if m.partial != nil {
		want = int64(len(m.partial))
	}
	if n := partial(m.t, m.d, "ada", "f"); n != want {
		m.t.Fatalf("the partial has %d bytes, want %d", n, want)
	}
}
