package tests

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestLargeLibrary lists 50,000 files, or a million with -torture: what the
// server needs for it does not grow with their number.
func TestLargeLibrary(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	files := orInFull(50_000, 1_000_000)
	if testing.Short() {
		files = 5_000
	}
	s := serve(t)
	for i := range files {
		if err := os.WriteFile(filepath.Join(s.library, fmt.Sprintf("file-%07d", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := s.dial(t)
	if _, err := c.Stat("file-0000000"); err != nil {
		t.Fatal(err)
	}
	first := s.firstBatch(t)
	before := s.peak(t)
	start := time.Now()
	all, err := c.ReadDir("/")
	if err != nil || len(all) != files {
		t.Fatalf("%d files are listed, of %d: %v", len(all), files, err)
	}
	grown := s.peak(t) - before
	t.Logf("%d files: the first of them after %v, all after %v; the server's peak grew by %d KiB",
		files, first.Round(time.Millisecond/10), time.Since(start).Round(time.Millisecond), grown>>10)
	if limit := int64(10 << 20); grown > limit && !raceEnabled {
		t.Errorf("the server grew by %d bytes, more than %d", grown, limit)
	}
}

// firstBatch opens the library's folder and takes how long it is until the first
// names arrive. No client of the libraries stops there, so it speaks SFTP itself.
func (s *server) firstBatch(t *testing.T) time.Duration {
	t.Helper()
	c := s.dial(t)
	session, err := ssh.NewClient(c.ssh, nil, nil).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, _ := session.StdinPipe()
	out, _ := session.StdoutPipe()
	if err := session.RequestSubsystem("sftp"); err != nil {
		t.Fatal(err)
	}
	const initPacket, opendir, readdir = "\x00\x00\x00\x05\x01\x00\x00\x00\x03",
		"\x00\x00\x00\x0a\x0b\x00\x00\x00\x01\x00\x00\x00\x01/", "\x00\x00\x00\x0a\x0c\x00\x00\x00\x02\x00\x00\x00\x011"
	answer := func(packet string, kind byte) {
		t.Helper()
		io.WriteString(in, packet)
		var head [5]byte
		if _, err := io.ReadFull(out, head[:]); err != nil || head[4] != kind {
			t.Fatalf("answer of type %d, want %d: %v", head[4], kind, err)
		}
		if _, err := io.CopyN(io.Discard, out, int64(binary.BigEndian.Uint32(head[:]))-1); err != nil {
			t.Fatal(err)
		}
	}
	answer(initPacket, 2)
	start := time.Now()
	answer(opendir, 102)
	answer(readdir, 104)
	return time.Since(start)
}

// peak is the most memory that was resident since the last call, in bytes.
func (s *server) peak(t *testing.T) int64 {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", s.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Fatal(err)
	}
	const resetPeak = "5" // proc(5), clear_refs
	if err := os.WriteFile(proc+"clear_refs", []byte(resetPeak), 0); err != nil {
		cannotRun(t, "the peak of the memory can't be reset here: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
