package main

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// text is a file of whole bytes, of which the first half are there already.
const half, whole = 50_000, 100_000

var text = strings.Repeat("x", whole)

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
			s.exec = func(ssh.Channel) {
				row.stop(s)
				s.last.Load().Wait()
			}
			dir := t.TempDir()
			part := filepath.Join(dir, partName(s.addr, "/f", attrs{size: whole, modified: modTime}))
			save(t, part, text[:half])
			status, _, errs := s.run(t, "", s.addr, "get", "f", "to", dir)
			want(t, status, row.status, errs)
			if kept, err := os.ReadFile(part); string(kept) != text[:half] {
				t.Errorf("the part holds %d bytes: %v", len(kept), err)
			}
		})
	}
}

// An upload that is stopped while its beginning is read back does not empty it.
func TestPutStoppedInReading(t *testing.T) {
	for how, row := range stops {
		t.Run(how, func(t *testing.T) {
			s := newServer(t, map[string]string{"f": text[:half]})
			l := s.handlers.FilePut.(*library)
			l.reading = sync.OnceFunc(func() { row.stop(s); s.last.Load().Wait() })
			file := filepath.Join(t.TempDir(), "f")
			save(t, file, text)
			status, _, errs := s.run(t, "", s.addr, "put", file)
			want(t, status, row.status, errs)
			l.mu.Lock()
			defer l.mu.Unlock()
			if len(l.opens) != 1 || !strings.Contains(l.opens[0], "Trunc:false") || l.files["f"] != text[:half] {
				t.Errorf("opened for writing: %q; published: %d bytes", l.opens, len(l.files["f"]))
			}
		})
	}
}

// What has the name when an upload begins may be replaced by another version
// of the same size: what is published is the file, and not a bit of either.
func TestPutOverReplaced(t *testing.T) {
	s := newServer(t, map[string]string{"f": text[:half]})
	l := s.handlers.FilePut.(*library)
	sums := []string{hexSum(""), hexSum(text[:half])} // that it can, and of the old one
	s.exec = func(c ssh.Channel) {
		io.WriteString(c, sums[0]+"  f\n")
		exitStatus(c, 0)
		sums = sums[1:]
	}
	l.opening = func() { l.files["f"] = strings.Repeat("N", half) }
	file := filepath.Join(t.TempDir(), "f")
	save(t, file, text)
	status, _, errs := s.run(t, "", s.addr, "put", file)
	want(t, status, 0, errs)
	if got := l.files["f"]; got != text {
		t.Errorf("published: %d bytes, %d of them of another file", len(got), strings.Count(got, "N"))
	}
}

func hexSum(s string) string {
	h := sha256.New()
	io.WriteString(h, s)
	return hexDigest(h)
}
