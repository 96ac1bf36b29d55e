package main

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// request is what a hostile server is asked.
type request struct {
	kind byte
	id   uint32
	body reply
}

// hostile is a server that answers each request as it likes; nothing of what
// it sends is made by a library that knows the rules.
func hostile(t *testing.T, answer func(r request, out io.Writer)) *server {
	t.Helper()
	s := newServer(t, nil)
	s.sftp = func(c ssh.Channel) {
		var version [9]byte
		io.ReadFull(c, version[:])
		c.Write(newPacket(0).seal(fxpVersion, 3))
		for {
			var head [packetHead]byte
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return
			}
			body := make([]byte, binary.BigEndian.Uint32(head[:])-5)
			if _, err := io.ReadFull(c, body); err != nil {
				return
			}
			answer(request{head[4], binary.BigEndian.Uint32(head[5:]), reply{rest: body}}, c)
		}
	}
	return s
}

func (p packet) attrs(size uint64) packet {
	return p.uint32(attrSize | attrMode).uint64(size).uint32(0o100644)
}

// plain answers as a server with one file of a size, whose READs are answered
// by read.
func plain(size uint64, read func(r request, offset uint64, n uint32, out io.Writer)) func(request, io.Writer) {
	return func(r request, out io.Writer) {
		p := newPacket(0)
		switch r.kind {
		case fxpRealpath:
			out.Write(p.uint32(1).string("/").string("/").attrs(0).seal(fxpName, r.id))
		case fxpOpen, fxpOpendir:
			out.Write(p.string("h").seal(fxpHandle, r.id))
		case fxpStat, fxpFstat:
			out.Write(p.attrs(size).seal(fxpAttrs, r.id))
		case fxpRead:
			r.body.string()
			offset := r.body.uint64()
			read(r, offset, r.body.uint32(), out)
		default:
			out.Write(p.uint32(fxOK).string("").string("").seal(fxpStatus, r.id))
		}
	}
}

func end(r request, out io.Writer) {
	out.Write(newPacket(0).uint32(fxEOF).string("").string("").seal(fxpStatus, r.id))
}

// listing answers READDIR by what names gives, and else as plain does.
func listingOf(names func(r request, out io.Writer)) func(request, io.Writer) {
	others := plain(0, nil)
	return func(r request, out io.Writer) {
		if r.kind == fxpReaddir {
			names(r, out)
		} else {
			others(r, out)
		}
	}
}

// No name that a server lists leads out of the folder or onto the terminal raw.
func TestHostileListing(t *testing.T) {
	names := []string{"../up", "/etc/x", "a/b", `..\up`, "..", ".", "", "new\nline", "esc\x1b]0;title\x07\x1b[2J", "c1\u009b2J",
		"bidi\u202etxt", "bad\xff", "del\x7f", strings.Repeat("n", 300), ".shelf-x.part", "plain"}
	sent := false
	s := hostile(t, listingOf(func(r request, out io.Writer) {
		if sent = !sent; !sent {
			end(r, out)
			return
		}
		p := newPacket(0).uint32(uint32(len(names)))
		for _, n := range names {
			p = p.string(n).string("-rw\x1b[2J " + n).attrs(0)
		}
		out.Write(p.seal(fxpName, r.id))
	}))
	work := t.TempDir()
	dir := filepath.Join(work, "in", "deep")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list"}, {"list", "--json"}, {"list", "-l", "*"}, {"get", "*", "to", dir}, {"get", "--json", "*", "to", dir}, {"info", "*"}} {
		_, out, errs := s.run(t, "", append([]string{s.addr}, args...)...)
		for _, r := range out + errs {
			if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e) {
				t.Errorf("%v: %U is printed raw", args, r)
			}
		}
	}
	var written []string
	filepath.WalkDir(work, func(path string, d os.DirEntry, _ error) error {
		if !d.IsDir() {
			written = append(written, strings.TrimPrefix(path, dir+"/"))
		}
		return nil
	})
	for _, w := range written {
		if strings.Contains(w, "/") || strings.ContainsAny(w, "\n\x1b\x7f") || len(w) > 255 {
			t.Errorf("%q was written", w)
		}
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "plain")); got == nil || len(written) > 3 { // and those of odd but harmless names
		t.Errorf("written: %q", written)
	}
}

// A server cannot make us keep or wait for more than there is.
func TestHostileReplies(t *testing.T) {
	data := func(r request, n int, out io.Writer) {
		out.Write(newPacket(n).string(strings.Repeat("x", n)).seal(fxpData, r.id))
	}
	fill := func(r request, _ uint64, n uint32, out io.Writer) { data(r, int(n), out) }
	name := func(p packet, n string) packet { return p.string(n).string("").attrs(1) }
	for _, row := range []struct {
		what   string
		args   []string
		answer func(request, io.Writer)
		says   string
	}{
		{"names without end", []string{"list"}, listingOf(func(r request, out io.Writer) {
			p := newPacket(0).uint32(4000)
			for range 4000 {
				p = name(p, strings.Repeat("n", 40))
			}
			out.Write(p.seal(fxpName, r.id))
		}), "not a folder but a flood"},
		{"huge names without end", []string{"list"}, listingOf(func(r request, out io.Writer) {
			out.Write(name(newPacket(0).uint32(1), strings.Repeat("n", 200_000)).seal(fxpName, r.id))
		}), "not a folder but a flood"},
		{"empty listings without end", []string{"list"}, listingOf(func(r request, out io.Writer) {
			out.Write(newPacket(0).uint32(0).seal(fxpName, r.id))
		}), "without names and without end"},
		{"more names than there are", []string{"list"}, listingOf(func(r request, out io.Writer) {
			out.Write(name(newPacket(0).uint32(math.MaxUint32), "n").seal(fxpName, r.id))
		}), "cut short"},
		{"a size of 8 EiB", []string{"get", "f"}, plain(math.MaxUint64, fill), "tells no size for it, or an impossible one"},
		{"a size that is more than there is", []string{"get", "f"}, plain(math.MaxInt64, func(r request, offset uint64, n uint32, out io.Writer) {
			if offset > 1<<20 {
				end(r, out)
				return
			}
			data(r, int(n), out)
		}), "it ended after "},
		{"more data than was asked for", []string{"get", "f"}, plain(1000, func(r request, _ uint64, n uint32, out io.Writer) { data(r, int(n)+1, out) }),
			"more data than it was asked for"},
		{"no data, and no end", []string{"get", "f"}, plain(1000, func(r request, _ uint64, _ uint32, out io.Writer) { data(r, 0, out) }),
			"no data, and no end of the file"},
		{"a packet of 4 GiB", []string{"get", "f"}, plain(1000, func(_ request, _ uint64, _ uint32, out io.Writer) {
			out.Write([]byte{0xff, 0xff, 0xff, 0xff, fxpData, 0, 0, 0, 1})
		}), "a packet of 4294967290 bytes"},
		{"a string longer than its packet", []string{"get", "f"}, plain(1000, func(r request, _ uint64, _ uint32, out io.Writer) {
			out.Write(newPacket(0).uint32(math.MaxUint32).seal(fxpData, r.id))
		}), "more data than it was asked for"},
		{"a reply that nobody asked for", []string{"get", "f"}, plain(1000, func(r request, _ uint64, _ uint32, out io.Writer) {
			out.Write(newPacket(0).uint32(fxOK).seal(fxpStatus, r.id+7))
		}), "a reply that nobody asked for"},
		{"a reply of another kind", []string{"get", "f"}, plain(1000, func(r request, _ uint64, _ uint32, out io.Writer) {
			out.Write(newPacket(0).attrs(1).seal(fxpAttrs, r.id))
		}), "a reply of type 105"},
		{"OK for data", []string{"get", "f"}, plain(1000, func(r request, _ uint64, _ uint32, out io.Writer) {
			out.Write(newPacket(0).uint32(fxOK).string("").seal(fxpStatus, r.id))
		}), "a reply of type 101"},
		{"no answer", []string{"get", "f"}, plain(1000, func(request, uint64, uint32, io.Writer) {}), "has not answered for 100ms"},
		{"a reason that paints", []string{"list"}, listingOf(func(r request, out io.Writer) {
			out.Write(newPacket(0).uint32(fxFailure).string("no\x1b[2J\n"+strings.Repeat("y", 5000)).seal(fxpStatus, r.id))
		}), `no\x1b[2J\x0ayyy`},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := hostile(t, row.answer)
			dir := t.TempDir()
			timeout := "10m" // but where it is waited for: a busy machine is slow
			if row.what == "no answer" {
				timeout = "100ms"
			}
			args := append([]string{"--timeout", timeout, s.addr}, row.args...)
			if row.args[0] == "get" {
				args = append(args, "to", dir)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			status, _, errs := s.run(t, "", args...)
			runtime.ReadMemStats(&after)
			if status == 0 || !strings.Contains(errs, row.says) || len(errs) > 4096 || strings.Contains(errs, "\x1b") {
				t.Errorf("exit status %d, and %.500q; want %q", status, errs, row.says)
			}
			if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 512<<20 {
				t.Errorf("it held %d MiB", grown>>20)
			}
			if _, err := os.Stat(filepath.Join(dir, "f")); !errors.Is(err, os.ErrNotExist) {
				t.Error("f is there")
			}
		})
	}
}

// A server that is silent from some point on is left, whatever it owes.
func TestSilentServer(t *testing.T) {
	for after := range 5 {
		n := 0
		answer := plain(1000, func(r request, _ uint64, n uint32, out io.Writer) {})
		s := hostile(t, func(r request, out io.Writer) {
			if n++; n <= after {
				answer(r, out)
			}
		})
		file := filepath.Join(t.TempDir(), "f")
		save(t, file, strings.Repeat("x", 5<<20)) // more than a window, for a server that does not read
		status, _, errs := s.run(t, "", "--timeout", "100ms", s.addr, "put", file)
		want(t, status, exitConnect, errs, "has not answered for 100ms")
	}
}

// A server that takes a login and then no channel is left, too.
func TestSilentChannel(t *testing.T) {
	s := newServer(t, nil)
	stay := make(chan struct{})
	s.sftp = func(ssh.Channel) { <-stay }
	status, _, errs := s.run(t, "", "--timeout", "100ms", s.addr, "list")
	close(stay)
	want(t, status, exitConnect, errs, "offers no files")
}

// What cannot be sent to a terminal is escaped in JSON, too, and JSON stays.
func TestJSONLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain é 日本":          `"plain é 日本"` + "\n",
		"\x1b[2J\u009b\u202e": `"\u001b[2J\u009b\u202e"` + "\n",
		"\U000e0001\"\\":      `"\udb40\udc01\"\\"` + "\n",
	} {
		if got := jsonLine(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
