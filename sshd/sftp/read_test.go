package sftp_test

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"shelf/vfs"
	"shelf/vfs/local"
	"shelf/vfs/vfstest"
)

// A READ gets what there is of what it asks for.
func TestReadWhatThereIs(t *testing.T) {
	const size, most = 300_000, 255 << 10
	content := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(content)
	lib, err := local.Open(t.TempDir(), local.Options{Durability: local.NoFsync})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	o := memory(all())
	o.Library = lib
	store(t, lib, "f", content)
	s, in, out := serve(t, o)
	defer s.end()
	r := raw{t, in, out}
	r.ask(1, cat(3))
	f := r.open("f", readFlag)
	for _, off := range []int{0, 1, 4096, 32 << 10, size - most, size - most + 1, size - 32<<10, size - 1, size, size + 1, -1} {
		for _, n := range []int{1, 32<<10 - 13, 32 << 10, 32<<10 + 1, 64<<10 - 13, 100_000, most, 1 << 20} {
			kind, body := r.ask(5, cat(9, f, uint64(off), n))
			if off < 0 || off >= size {
				if kind != 101 || binary.BigEndian.Uint32(body[4:]) != 1 {
					t.Errorf("READ of %d at %d: type %d, want EOF", n, off, kind)
				}
				continue
			}
			want := content[off:min(off+min(n, most), size)]
			if kind != 103 || !bytes.Equal(body, cat(9, string(want))) {
				t.Errorf("READ of %d at %d: type %d, %d bytes, want %d", n, off, kind, len(body)-8, len(want))
			}
		}
	}
}

// store puts a file into a library.
func store(t *testing.T, l vfs.Library, name string, content []byte) {
	t.Helper()
	u, err := l.Create(t.Context(), name, vfs.CreateOptions{Create: true})
	if err == nil {
		_, err = u.WriteAt(content, 0)
	}
	if err == nil {
		_, err = u.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A READ that fails fails alone.
func TestReadFails(t *testing.T) {
	for _, failure := range []error{nil, &vfs.Error{Kind: vfs.ErrIO, Why: "on cue"}} {
		lib := vfstest.NewFaulty(vfstest.NewMemory())
		o := memory(all())
		o.Library, o.Log = lib, slog.New(slog.DiscardHandler)
		store(t, lib, "f", make([]byte, 100_000))
		s, in, out := serve(t, o)
		r := raw{t, in, out}
		r.ask(1, cat(3))
		f := r.open("f", readFlag)
		lib.Fail(vfstest.ReadAt, 1, failure)
		if kind, _ := r.ask(5, cat(9, f, uint64(0), 100_000)); kind != 101 {
			t.Errorf("it fails: type %d, want STATUS", kind)
		}
		if kind, body := r.ask(5, cat(9, f, uint64(0), 100_000)); kind != 103 || len(body) != 8+100_000 {
			t.Errorf("after that: type %d, %d bytes", kind, len(body))
		}
		s.end()
	}
}

// A file that becomes shorter on disk while it is read: what is there is answered.
// The length was announced before the end was read, so the session had to end.
func TestReadOfAFileThatShrinks(t *testing.T) {
	folder := t.TempDir()
	lib, err := local.Open(folder, local.Options{Durability: local.NoFsync})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	o := memory(all())
	o.Library = lib
	content := make([]byte, 200_000)
	rand.NewChaCha8([32]byte{}).Read(content)
	store(t, lib, "f", content)
	s, in, out := serve(t, o)
	defer s.end()
	r := raw{t, in, out}
	r.ask(1, cat(3))
	f := r.open("f", readFlag)
	for _, size := range []int{200_000, 150_000, 50_000, 10, 0} {
		if err := os.Truncate(filepath.Join(folder, "f"), int64(size)); err != nil {
			t.Fatal(err)
		}
		kind, body := r.ask(5, cat(9, f, uint64(0), 200_000))
		if size > 0 && (kind != 103 || !bytes.Equal(body, cat(9, string(content[:size])))) {
			t.Errorf("READ of %d bytes that are left: type %d, %d bytes", size, kind, len(body)-8)
		}
		if size == 0 && (kind != 101 || binary.BigEndian.Uint32(body[4:]) != 1) {
			t.Errorf("READ of nothing: type %d, want EOF", kind)
		}
	}
}

// Where no file can be is the end of each, and no fault of the disk: any client
// could fill the log with those.
func TestReadAtTheEndOfAllNumbers(t *testing.T) {
	lib, err := local.Open(t.TempDir(), local.Options{Durability: local.NoFsync})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	var log bytes.Buffer
	o := memory(all())
	o.Library, o.Log = lib, slog.New(slog.NewTextHandler(&log, nil))
	store(t, lib, "f", []byte("0123456789"))
	s, in, out := serve(t, o)
	r := raw{t, in, out}
	r.ask(1, cat(3))
	for name, f := range map[string]string{"file": r.open("f", readFlag), "upload": r.open("g", readFlag|writeFlag|createFlag)} {
		for _, off := range []uint64{1 << 62, 1<<63 - 200_000, 1<<63 - 10, 1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<64 - 10, 1<<64 - 1} {
			for _, n := range []int{1, 5, 32 << 10, 255 << 10} {
				if code := r.code(5, cat(9, f, off, n)); code != 1 {
					t.Errorf("READ of a %s, %d bytes at %d: code %d, want EOF", name, n, off, code)
				}
			}
		}
	}
	s.end()
	if log.Len() > 0 || s.stderr.String() != "" {
		t.Errorf("the log has %q, stderr %q", log.String(), s.stderr.String())
	}
}
