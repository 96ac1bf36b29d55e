package main

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// request is what a hostile server is asked.
type request struct {
	kind byte
	id   uint32
	body fields
}

// hostile is a server that answers each request as it likes; nothing of what
// it sends is made by a library that knows the rules.
func hostile(t *testing.T, answer func(r request, out io.Writer)) *server {
	t.Helper()
	s := newServer(t, nil)
	s.sftp = answering(answer)
	return s
}

// answering reads requests and has them answered.
func answering(answer func(r request, out io.Writer)) func(ssh.Channel) {
	return func(c ssh.Channel) {
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
			answer(request{head[4], binary.BigEndian.Uint32(head[5:]), fields{body}}, c)
		}
	}
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

// named answers as a server whose folder has a name, and which refuses all
// else, in the same words.
func named(words string) func(request, io.Writer) {
	return func(r request, out io.Writer) {
		if r.kind == fxpRealpath {
			out.Write(newPacket(0).uint32(1).string("/"+words).string(words).attrs(0).seal(fxpName, r.id))
			return
		}
		out.Write(newPacket(0).uint32(fxFailure).string(words).string(words).seal(fxpStatus, r.id))
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
	commands := [][]string{{"list"}, {"list", "--json"}, {"list", "-l", "*"}, {"get", "*", "to", dir}, {"get", "--json", "*", "to", dir},
		{"info", "*"}, {"remove", "-f", "*"}, {"sync", "--down", dir}}
	mustWrite := func(harmless ...string) {
		t.Helper()
		for _, args := range commands {
			_, out, errs := s.run(t, "", append([]string{s.addr}, args...)...)
			mustBePrintable(t, out+errs)
		}
		var written []string
		filepath.WalkDir(work, func(path string, d os.DirEntry, _ error) error {
			if !d.IsDir() {
				written = append(written, strings.TrimPrefix(path, dir+"/"))
			}
			return nil
		})
		if slices.Sort(harmless); !slices.Equal(written, harmless) {
			t.Errorf("written: %q, want %q", written, harmless)
		}
	}
	odd := []string{"bad\xff", "bidi_txt", "plain"} // but names of files
	mustWrite(odd...)
	commands = nil
	for _, n := range names[:len(names)-2] { // as if a person had copied them from somewhere
		commands = append(commands, []string{"get", n, "to", dir}, []string{"rename", n, n + n}, []string{"info", "--json", n})
	}
	mustWrite(append(odd, "up", "x", "b", `..\up`)...) // what is typed is a path on the server, and saved in the folder here
}

// mustBePrintable fails if what was printed could act on a terminal.
func mustBePrintable(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0xfffd) {
			t.Errorf("%U is printed raw in %.500q", r, text)
			return
		}
	}
}

// peak runs f and tells how many bytes more than before the heap held.
func peak(f func()) (grown int64) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapInuse, m.HeapInuse
	done := make(chan struct{})
	go func() { f(); close(done) }()
	for {
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
		select {
		case <-done:
			return int64(most - before)
		case <-time.After(10 * time.Millisecond):
		}
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
		}), "which is too many"},
		{"huge names without end", []string{"list"}, listingOf(func(r request, out io.Writer) {
			out.Write(name(newPacket(0).uint32(1), strings.Repeat("n", 200_000)).seal(fxpName, r.id))
		}), "which is too many"},
		{"empty listings without end", []string{"list"}, listingOf(func(r request, out io.Writer) {
			out.Write(newPacket(0).uint32(0).seal(fxpName, r.id))
		}), "a listing without names"},
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
			"more data than was asked for"},
		{"no data, and no end", []string{"get", "f"}, plain(1000, func(r request, _ uint64, _ uint32, out io.Writer) { data(r, 0, out) }),
			"no data, and no end of the file"},
		{"a packet of 4 GiB", []string{"get", "f"}, plain(1000, func(_ request, _ uint64, _ uint32, out io.Writer) {
			out.Write([]byte{0xff, 0xff, 0xff, 0xff, fxpData, 0, 0, 0, 1})
		}), "a packet of 4294967290 bytes"},
		{"a string longer than its packet", []string{"get", "f"}, plain(1000, func(r request, _ uint64, _ uint32, out io.Writer) {
			out.Write(newPacket(0).uint32(math.MaxUint32).seal(fxpData, r.id))
		}), "more data than was asked for"},
		{"a reply that nobody asked for", []string{"get", "f"}, plain(1000, func(r request, _ uint64, _ uint32, out io.Writer) {
			out.Write(newPacket(0).uint32(fxOK).seal(fxpStatus, r.id+7))
		}), "a reply to no request"},
		{"a reply twice", []string{"get", "f"}, plain(1000, func(r request, _ uint64, n uint32, out io.Writer) {
			for range 2 {
				data(r, int(n)/2, out)
			}
		}), "a reply to no request"},
		{"VERSION again", []string{"get", "f"}, plain(1000, func(r request, _ uint64, _ uint32, out io.Writer) {
			out.Write(newPacket(0).seal(fxpVersion, 3))
		}), "a reply to no request"},
		{"a packet without a type", []string{"get", "f"}, plain(1000, func(_ request, _ uint64, _ uint32, out io.Writer) {
			out.Write(make([]byte, packetHead))
		}), "a packet of -5 bytes"},
		{"a handle of 64 KiB", []string{"get", "f"}, func(r request, out io.Writer) {
			if r.kind == fxpOpen {
				out.Write(newPacket(0).string(strings.Repeat("h", 64<<10)).seal(fxpHandle, r.id))
				return
			}
			plain(1000, nil)(r, out)
		}, "the server broke the rules of SFTP"},
		{"attributes without end", []string{"get", "f"}, func(r request, out io.Writer) {
			if r.kind == fxpFstat {
				out.Write(newPacket(0).uint32(attrExtended).uint32(math.MaxUint32).seal(fxpAttrs, r.id))
				return
			}
			plain(1000, nil)(r, out)
		}, "cut short"},
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
				args = append(args, "to", dir, "--retry", "0")
			}
			var status int
			var errs string
			grown := peak(func() { status, _, errs = s.run(t, "", args...) })
			if status == 0 || !strings.Contains(errs, row.says) || len(errs) > 4096 {
				t.Errorf("exit status %d, and %.500q; want %q", status, errs, row.says)
			}
			mustBePrintable(t, errs)
			if grown > 512<<20 {
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
		status, _, errs := s.run(t, "", "--timeout", "100ms", s.addr, "put", "--retry", "0", file)
		want(t, status, exitConnect, errs, "has not answered for 100ms")
	}
}

// A server whose disk is slow may take longer to answer CLOSE, as long as that
// much would take to write.
func TestSlowDisk(t *testing.T) {
	const size = 4 * 16 << 20 // of a disk that writes 16 MiB/s: 4 s
	answer := plain(size, nil)
	s := hostile(t, func(r request, out io.Writer) {
		if r.kind == fxpClose {
			time.Sleep(2500 * time.Millisecond)
		}
		if r.kind == fxpStat { // there is nothing yet
			end(r, out)
			return
		}
		answer(r, out)
	})
	file := filepath.Join(t.TempDir(), "f")
	save(t, file, "")
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	status, _, errs := s.run(t, "", "--timeout", "1s", s.addr, "put", file)
	want(t, status, 0, errs)
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

// A size that is less than there is gets that much, and no more is asked for.
func TestSmallSize(t *testing.T) {
	asked := atomic.Int64{}
	s := hostile(t, plain(1000, func(r request, offset uint64, n uint32, out io.Writer) {
		asked.Store(max(asked.Load(), int64(offset)+int64(n)))
		out.Write(newPacket(0).string(strings.Repeat("x", int(n))).seal(fxpData, r.id))
	}))
	dir := t.TempDir()
	status, _, errs := s.run(t, "", s.addr, "get", "f", "to", dir)
	want(t, status, 0, errs)
	if got, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || len(got) != 1000 || asked.Load() != 1000 {
		t.Errorf("%d bytes are here, %d were asked for: %v", len(got), asked.Load(), err)
	}
}

// Nothing that a server says before or beside its replies is printed raw, and
// of what it says without end a bounded part is kept.
func TestHostileWords(t *testing.T) {
	const words = "\x1b[2J\u009b\u202e\r\xff"
	flood := strings.Repeat("y", 1<<20)
	for what, set := range map[string]func(s *server){
		"a banner":      func(s *server) { s.banner = words + "\n" + words },
		"a long banner": func(s *server) { s.banner = flood[:100_000] },
		"no channel":    func(s *server) { s.refusal = words },
		"a long line": func(s *server) {
			s.sftp = func(c ssh.Channel) { // and more of it than a window
				io.WriteString(c.Stderr(), words+flood+flood+flood)
				answering(named(words))(c)
			}
		},
		"a folder's name": func(s *server) { s.sftp = answering(named(words)) },
		"lines without end": func(s *server) {
			s.sftp = func(c ssh.Channel) {
				for {
					if _, err := io.WriteString(c.Stderr(), words+"\n"+flood[:30_000]); err != nil {
						return
					}
				}
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := newServer(t, nil)
			set(s)
			var status int
			var out, errs string
			timeout := "10m" // but where it is waited for: a busy machine is slow
			if what == "lines without end" {
				timeout = "200ms"
			}
			grown := peak(func() { status, out, errs = s.run(t, "", "--timeout", timeout, s.addr, "info", "absent") })
			if answers := what != "lines without end"; answers && strings.Contains(errs, "has not answered") {
				t.Error("the server had to wait for us")
			}
			if status == 0 || len(out)+len(errs) > 32<<10 {
				t.Errorf("exit status %d, and %d bytes were printed: %.500q", status, len(out)+len(errs), errs)
			}
			mustBePrintable(t, out+errs)
			if grown > 256<<20 {
				t.Errorf("it held %d MiB", grown>>20)
			}
		})
	}
}

// A digest that is a lie, has no end or never comes publishes nothing that was
// to be compared.
func TestHostileDigests(t *testing.T) {
	for what, row := range map[string]struct {
		exec func(ssh.Channel)
		says string
	}{
		"a lie": {func(c ssh.Channel) {
			sum := hexSum("") // of nothing: so far it is no lie
			io.WriteString(c, sum+"  -\n")
			exits(c, 0)
		}, "its SHA-256 is not that of the file on the server"},
		"none": {func(c ssh.Channel) { exits(c, 127) }, ""},
		"without end": {func(c ssh.Channel) {
			for _, err := c.Write(make([]byte, 30_000)); err == nil; {
				_, err = c.Write(make([]byte, 30_000))
			}
		}, ""},
		"never": {func(c ssh.Channel) { io.Copy(io.Discard, c) }, ""},
	} {
		t.Run(what, func(t *testing.T) {
			s := newServer(t, map[string]string{"f": strings.Repeat("x", 100_000)})
			s.exec = row.exec
			dir := t.TempDir()
			var status int
			var errs string
			grown := peak(func() {
				status, _, errs = s.run(t, "", "--timeout", "1s", s.addr, "get", "--checksum", "f", "to", dir)
			})
			got, err := os.ReadFile(filepath.Join(dir, "f"))
			if row.says != "" {
				want(t, status, exitSome, errs, row.says)
				if err == nil {
					t.Error("f is there")
				}
			} else if status != 0 || len(got) != 100_000 { // it was read once more instead
				t.Errorf("exit status %d, %d bytes: %s", status, len(got), errs)
			}
			if grown > 256<<20 {
				t.Errorf("it held %d MiB", grown>>20)
			}
		})
	}
}

// exits ends a command with a status.
func exits(c ssh.Channel, status uint32) {
	c.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}
