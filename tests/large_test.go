package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestLargeLibrary lists 50,000 files, or a million with -torture: what the
// server needs for it does not grow with their number.
func TestLargeLibrary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	files := 50_000
	if *torture {
		files = 1_000_000
	}
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
	before := s.peak(t)
	start := time.Now()
	all, err := c.ReadDir("/")
	if err != nil || len(all) != files {
		t.Fatalf("%d files are listed, of %d: %v", len(all), files, err)
	}
	grown := s.peak(t) - before
	t.Logf("%d files listed in %v; the server's peak grew by %d KiB", files, time.Since(start).Round(time.Millisecond), grown>>10)
	if limit := int64(10 << 20); grown > limit && !raceEnabled {
		t.Errorf("the server grew by %d bytes, more than %d", grown, limit)
	}
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
		t.Skip("the peak cannot be reset here:", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
