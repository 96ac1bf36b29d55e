package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// text is a file of wholeSize bytes, of which the first half is there already.
const halfSize, wholeSize = 50_000, 100_000

var text = strings.Repeat("x", wholeSize)

// stops are the ways in which a transfer may end while a beginning is compared.
var stops = map[string]struct {
	stop   func(*server)
	status int
}{
	"Ctrl-C": {func(*server) { syscall.Kill(os.Getpid(), syscall.SIGINT) }, exitSome},
	"cut":    {func(s *server) { s.last.Load().Close() }, exitConnect},
}

// A download that is stopped while the server makes the digest keeps its
// beginning: nobody has found it wrong.
func TestGetStoppedInDigest(t *testing.T) {
	for how, row := range stops {
		t.Run(how, func(t *testing.T) {
			s := newServer(t, map[string]string{"f": text})
			digests := false
			s.exec = func(c ssh.Channel) {
				if !digests {
					exits(c, 127)
					return
				}
				row.stop(s)
				s.last.Load().Wait()
			}
			dir := t.TempDir()
			l := s.handlers.FileGet.(*library)
			l.short = true // so that the first half is left
			s.run(t, "", s.addr, "get", "f", "to", dir)
			l.short = false
			parts, _ := filepath.Glob(filepath.Join(dir, ".shelf-*.part"))
			if len(parts) != 1 {
				t.Fatalf("left: %v", parts)
			}
			part := parts[0]
			digests = true
			status, _, errs := s.run(t, "", s.addr, "get", "--retry", "0", "f", "to", dir)
			want(t, status, row.status, errs)
			if kept, err := os.ReadFile(part); string(kept) != text[:halfSize] {
				t.Errorf("the part holds %d bytes: %v", len(kept), err)
			}
		})
	}
}

// An upload that is stopped while its beginning is read back does not empty it.
func TestPutStoppedInReading(t *testing.T) {
	for how, row := range stops {
		t.Run(how, func(t *testing.T) {
			s := newServer(t, map[string]string{"f": text[:halfSize]})
			l := s.handlers.FilePut.(*library)
			l.reading = sync.OnceFunc(func() { row.stop(s); s.last.Load().Wait() })
			file := filepath.Join(t.TempDir(), "f")
			save(t, file, text)
			status, _, errs := s.run(t, "", s.addr, "put", "--retry", "0", file)
			want(t, status, row.status, errs)
			l.mu.Lock()
			defer l.mu.Unlock()
			if len(l.opens) != 1 || !strings.Contains(l.opens[0], "Trunc:false") || l.files["f"] != text[:halfSize] {
				t.Errorf("opened for writing: %q; published: %d bytes", l.opens, len(l.files["f"]))
			}
		})
	}
}

// What has the name when an upload begins may be replaced by another version
// of the same size: what is published is the file, and not a bit of either.
func TestPutOverReplaced(t *testing.T) {
	s := newServer(t, map[string]string{"f": text[:halfSize]})
	l := s.handlers.FilePut.(*library)
	sums := []string{hexSum(""), hexSum(text[:halfSize])} // that it can, and of the old one
	s.exec = func(c ssh.Channel) {
		io.WriteString(c, sums[0]+"  f\n")
		exits(c, 0)
		sums = sums[1:]
	}
	l.opening = func() { l.files["f"] = strings.Repeat("N", halfSize) }
	file := filepath.Join(t.TempDir(), "f")
	save(t, file, text)
	status, _, errs := s.run(t, "", s.addr, "put", file)
	want(t, status, 0, errs)
	if got := l.files["f"]; got != text {
		t.Errorf("published: %d bytes, %d of them of another file", len(got), strings.Count(got, "N"))
	}
}

// What another put of the file writes where a server has no stages of its own is
// never truncated.
func TestPutLeavesStageOfAnother(t *testing.T) {
	for _, there := range []string{"", text[:halfSize], strings.Repeat("N", halfSize), text + "more"} {
		files := map[string]string{}
		s := newServerOf(t, "SSH-2.0-Other", files)
		l := s.handlers.FilePut.(*library)
		file := filepath.Join(t.TempDir(), "f")
		save(t, file, text)
		s.run(t, "", s.addr, "put", file) // fails, and shows the name of the stage
		if len(l.opens) == 0 {
			t.Fatal("nothing was opened")
		}
		stage, _, _ := strings.Cut(l.opens[0], " ")
		l.files[stage], l.opens = there, nil
		s.run(t, "", s.addr, "put", file)
		for _, o := range l.opens {
			if strings.Contains(o, "Trunc:true") {
				t.Errorf("over %d bytes: %s", len(there), o)
			}
		}
		if len(l.opens) == 0 {
			t.Error("nothing was opened")
		}
	}
}

// A file that grows while it is read, or gets another time, is no file yet.
func TestGetOfChanging(t *testing.T) {
	stats := 0
	file := func(r request, out io.Writer) {
		p := newPacket(0)
		stats++
		out.Write(p.uint32(attrSize|attrTimes).uint64(1000).uint32(1).uint32(uint32(stats)).seal(fxpAttrs, r.id))
	}
	data := plain(1000, func(r request, _ uint64, n uint32, out io.Writer) {
		out.Write(newPacket(0).string(text[:n]).seal(fxpData, r.id))
	})
	s := hostile(t, func(r request, out io.Writer) {
		if r.kind == fxpFstat {
			file(r, out)
			return
		}
		data(r, out)
	})
	dir := t.TempDir()
	status, _, errs := s.run(t, "", s.addr, "get", "f", "to", dir)
	want(t, status, exitSome, errs, "it changed on the server while it was read")
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
