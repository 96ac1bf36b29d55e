package sftp_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"strings"
	"testing"

	"shelf/vfs"
	"shelf/vfs/access"
	"shelf/vfs/vfstest"
)

// extended is a session with two files, spoken to in packets.
func extended(t *testing.T, p vfs.Permissions) (raw, *vfstest.Memory) {
	t.Helper()
	lib := vfstest.NewMemory()
	for name, text := range map[string]string{"a": "0123456789", "big": strings.Repeat("x", 600_000)} {
		store(t, lib, name, []byte(text))
	}
	c, in, out := serve(t, options{Options: access.Options{Library: lib, Account: "ada", Permissions: p}})
	t.Cleanup(c.end)
	r := raw{t, in, out}
	_, version := r.ask(1, cat(3))
	for _, ext := range []string{"copy-data", "check-file", "expand-path@openssh.com"} {
		if !bytes.Contains(version, cat(ext, "1")) {
			t.Errorf("VERSION does not have %s", ext)
		}
	}
	return r, lib
}

// open is the handle that an OPEN returns.
func (r raw) open(name string, flags int) string {
	r.t.Helper()
	kind, body := r.ask(3, cat(1, name, flags, 0))
	if kind != 102 {
		r.t.Fatalf("OPEN %s: %d %q", name, kind, body)
	}
	return string(body[8:])
}

// code asks and returns the code of the STATUS that comes.
func (r raw) code(kind byte, body []byte) uint32 {
	r.t.Helper()
	k, b := r.ask(kind, body)
	if k != 101 {
		r.t.Fatalf("a reply of type %d: %q", k, b)
	}
	return binary.BigEndian.Uint32(b[4:])
}

const readFlag, writeFlag, createFlag = 1, 2, 8

func TestCopyData(t *testing.T) {
	r, lib := extended(t, all())
	copyData := func(from string, off, length uint64, to string, at uint64) uint32 {
		return r.code(200, cat(7, "copy-data", from, off, length, to, at))
	}
	both := r.open("both", readFlag|writeFlag|createFlag)
	a, big, out := r.open("a", readFlag), r.open("big", readFlag), r.open("copy", writeFlag|createFlag)
	for what, test := range map[string]struct{ got, want uint32 }{
		"part":               {copyData(a, 2, 3, out, 1), 0},
		"past the end":       {copyData(a, 8, 100, out, 6), 0},
		"from beyond it":     {copyData(a, 100, 1, out, 0), 0},
		"onto itself":        {copyData(both, 0, 0, both, 0), 4},
		"to a reader":        {copyData(a, 0, 0, big, 0), 4},
		"from a writer":      {copyData(out, 0, 0, r.open("x", writeFlag|createFlag), 0), 4},
		"no such handle":     {copyData("77", 0, 0, out, 0), 4},
		"a negative offset":  {copyData(a, 1<<63, 0, out, 0), 4},
		"a negative length":  {copyData(a, 0, 1<<63, out, 0), 4},
		"too short":          {r.code(200, cat(7, "copy-data", a, uint64(0))), 5},
		"too short, further": {r.code(200, cat(7, "copy-data", a, uint64(0), uint64(0), out, 1)), 5},
	} {
		if test.got != test.want {
			t.Errorf("%s: code %d, want %d", what, test.got, test.want)
		}
	}
	if code := r.code(4, cat(7, out)); code != 0 {
		t.Fatalf("CLOSE: %d", code)
	}
	if got := content(t, lib, "copy"); got != "\x00234\x00\x0089" {
		t.Errorf("the copy is %q", got)
	}
	whole := r.open("whole", writeFlag|createFlag)
	if copyData(big, 0, 0, whole, 0) != 0 || r.code(4, cat(7, whole)) != 0 || content(t, lib, "whole") != content(t, lib, "big") {
		t.Error("a file of several chunks was not copied")
	}
}

func content(t *testing.T, l vfs.Library, name string) string {
	t.Helper()
	f, err := l.Open(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<20)
	n, _ := f.ReadAt(b, 0)
	return string(b[:n])
}

func TestCheckFile(t *testing.T) {
	r, _ := extended(t, all())
	sum := md5.Sum([]byte("0123456789"))
	whole := cat(uint64(0), uint64(0), 0)
	a := r.open("a", readFlag)
	kind, body := r.ask(200, append(cat(7, "check-file", a, "crc32,md5,sha1"), whole...))
	if want := append(cat(7, "check-file", "md5"), sum[:]...); kind != 201 || !bytes.Equal(body, want) {
		t.Errorf("check-file: %d %q, want %q", kind, body, want)
	}
	kind, body = r.ask(200, append(cat(7, "check-file-name", "/a", "md5"), whole...))
	if want := append(cat(7, "md5"), sum[:]...); kind != 201 || !bytes.Equal(body, want) {
		t.Errorf("check-file-name: %d %q, want %q", kind, body, want)
	}
	for what, test := range map[string]struct {
		body []byte
		want uint32
	}{
		"no such file":      {append(cat(7, "check-file-name", "/b", "md5"), whole...), 2},
		"outside":           {append(cat(7, "check-file-name", "/etc/passwd", "md5"), whole...), 2},
		"the library":       {append(cat(7, "check-file-name", "/", "md5"), whole...), 3},
		"no such handle":    {append(cat(7, "check-file", "77", "md5"), whole...), 4},
		"unknown algorithm": {append(cat(7, "check-file", a, "crc32"), whole...), 8},
		"a part":            {append(cat(7, "check-file", a, "md5"), cat(uint64(1), uint64(0), 0)...), 8},
		"blocks":            {append(cat(7, "check-file", a, "md5"), cat(uint64(0), uint64(0), 256)...), 8},
		"too short":         {cat(7, "check-file", a, "md5", uint64(0)), 5},
		"an upload":         {append(cat(7, "check-file", r.open("new", writeFlag|createFlag), "md5"), whole...), 4},
	} {
		if got := r.code(200, test.body); got != test.want {
			t.Errorf("%s: code %d, want %d", what, got, test.want)
		}
	}
}

// Of an upload that may be read there is the digest of what CLOSE would publish.
func TestCheckFileOfUpload(t *testing.T) {
	r, _ := extended(t, all())
	whole := cat(uint64(0), uint64(0), 0)
	a := r.open("a", readFlag|writeFlag)
	for _, content := range []string{"0123456789", "01XX456789"} {
		sum := md5.Sum([]byte(content))
		kind, body := r.ask(200, append(cat(7, "check-file", a, "md5"), whole...))
		if want := append(cat(7, "check-file", "md5"), sum[:]...); kind != 201 || !bytes.Equal(body, want) {
			t.Errorf("check-file: %d %q, want %q", kind, body, want)
		}
		if code := r.code(6, cat(7, a, uint64(2), "XX")); code != 0 {
			t.Fatalf("WRITE: code %d", code)
		}
	}
}

func TestCheckFileNeedsRead(t *testing.T) {
	p := all()
	p.Read = false
	r, _ := extended(t, p)
	if code := r.code(200, append(cat(7, "check-file-name", "/a", "md5"), make([]byte, 20)...)); code != 3 {
		t.Errorf("code %d, want 3", code)
	}
}

func TestExpandPath(t *testing.T) {
	r, _ := extended(t, all())
	for path, want := range map[string]string{
		"~": "/", "~/a": "/a", "~ada": "/", "~ada/a": "/a", "~bob/a": "/~bob/a", "~draft": "/~draft", "a": "/a", "~/../../etc": "/etc", "": "/",
	} {
		kind, body := r.ask(200, cat(7, "expand-path@openssh.com", path))
		if kind != 104 || !bytes.HasPrefix(body, cat(7, 1, want)) {
			t.Errorf("%q: %d %q, want %q", path, kind, body, want)
		}
	}
}
