package sftp_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"

	"shelf/vfs"
	"shelf/vfs/local"
	"shelf/vfs/vfstest"
)

// A READ gets what there is of what it asks for, whatever pieces that is sent in.
func TestReadInPieces(t *testing.T) {
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

// What cannot be read any more when a part of the reply is on its way ends the
// session, since the rest was announced; before, it fails the request alone.
func TestReadFailsInPieces(t *testing.T) {
	for _, failure := range []error{nil, &vfs.Error{Kind: vfs.ErrIO, Why: "on cue"}} {
		for at := 1; at <= 3; at++ {
			lib := vfstest.NewFaulty(vfstest.NewMemory())
			o := memory(all())
			o.Library, o.Log = lib, slog.New(slog.DiscardHandler)
			store(t, lib, "f", make([]byte, 100_000))
			s, in, out := serve(t, o)
			r := raw{t, in, out}
			r.ask(1, cat(3))
			f := r.open("f", readFlag)
			lib.Fail(vfstest.ReadAt, at, failure)
			if at == 1 {
				if kind, _ := r.ask(5, cat(9, f, uint64(0), 100_000)); kind != 101 {
					t.Errorf("failing with the first piece: type %d, want STATUS", kind)
				}
				if kind, body := r.ask(5, cat(9, f, uint64(0), 100_000)); kind != 103 || len(body) != 8+100_000 {
					t.Errorf("after that: type %d, %d bytes", kind, len(body))
				}
				s.end()
				continue
			}
			go io.Copy(io.Discard, in)
			r.send(5, cat(9, f, uint64(0), 100_000))
			if err := <-s.ended; err == nil {
				t.Errorf("failing with piece %d: the session does not end", at)
			}
			s.cut()
		}
	}
}
