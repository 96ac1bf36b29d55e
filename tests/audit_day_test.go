package tests

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestADayOfTheAuditLog has the programs do to a log what a day does: three restarts,
// two kills while clients upload, rotation by size and by name, packing, and a new
// host key. Nothing is found then; each file that is there has its line; and what is
// changed is found.
func TestADayOfTheAuditLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	toml := strings.Replace(withReceipts, "[libraries.in]", "audit_max_size = \"40KiB\"\n[libraries.in]", 1)
	log := filepath.Join(dir, "log", "audit.jsonl")
	number := 0
	upload := func(c *client) error {
		number++
		return c.upload(fmt.Sprint("file-", number), []byte("text"))
	}
	work := func(s *server) {
		t.Helper()
		c := s.dial(t)
		for range 20 {
			if err := upload(c); err != nil {
				t.Fatal(err)
			}
		}
		c.close()
	}
	s := startReceipts(t, dir, toml)
	work(s)
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	s.reload(t, "was reloaded")
	work(s)
	for range 2 {
		killWhileUploading(t, s)
		s = startReceipts(t, dir, toml)
		eventually(t, "it has looked for lines that are missing", func() bool {
			return strings.Contains(s.stderr.String(), "after a crash: the audit log has a line of each file again")
		})
		work(s)
	}
	for n := range 3 {
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		s = startReceipts(t, dir, toml)
		if n == 1 {
			for _, args := range [][]string{{"new", "ed25519"}, {"rotate"}} {
				succeed(t, exec.Command("shelfd", append(append([]string{"hostkey"}, args...), "--state", s.state)...))
			}
			s.reload(t, "was reloaded")
		}
		work(s)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(log + "*")
	if len(files) < 4 {
		t.Fatalf("only %v", files)
	}
	eachFileHasItsLine(t, s, files)
	pack(t, log+".1")
	files, _ = filepath.Glob(log + "*")

	known := s.knownHosts(t)
	verify := func(more ...string) (string, error) {
		out, err := exec.Command("shelfd", append(append([]string{"audit", "verify"}, more...), files...)...).CombinedOutput()
		return string(out), err
	}
	for _, keys := range [][]string{{"--known-hosts", known}, {"--state", s.state}} {
		out, err := verify(keys...)
		if err != nil || strings.Count(out, "SHA256:") != 2 || strings.Contains(out, "Not signed") || strings.Contains(out, "not here") || !strings.Contains(out, "cannot be known") {
			t.Errorf("%v: %v\n%s", keys, err, out)
		}
	}
	if err := os.Rename(log+".1.gz", filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	files = files[:0]
	files, _ = filepath.Glob(log + "*")
	if out, err := verify("--known-hosts", known); err != nil || !strings.Contains(out, "is not here") {
		t.Errorf("without the oldest file: %v\n%s", err, out)
	}
	text := slurp(t, log)
	if err := os.WriteFile(log, bytes.Replace(text, []byte(`"name":"file-`), []byte(`"name":"fill-`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := verify("--known-hosts", known); err == nil || !strings.Contains(out, "it was changed") {
		t.Errorf("a name was changed: %v\n%s", err, out)
	}
}

// killWhileUploading kills the server while four clients upload.
func killWhileUploading(t *testing.T, s *server) {
	t.Helper()
	var all sync.WaitGroup
	first := make(chan struct{}, 4)
	for n := range 4 {
		c := s.dial(t)
		all.Go(func() {
			for i := 0; ; i++ {
				if c.upload(fmt.Sprintf("cut-%d-%d-%d", s.cmd.Process.Pid, n, i), []byte("text")) != nil {
					return
				}
				if i == 3 {
					first <- struct{}{}
				}
			}
		})
	}
	for range 4 {
		<-first
	}
	s.cmd.Process.Kill()
	<-s.exited
	all.Wait()
}

// eachFileHasItsLine compares what is in the library with what the log tells.
func eachFileHasItsLine(t *testing.T, s *server, files []string) {
	t.Helper()
	told := make(map[string]int)
	for _, file := range files {
		for _, op := range []string{"put", "recovered"} {
			for _, l := range auditLines(t, file, op) {
				if l.Result == "ok" {
					told[l.Name]++
				}
			}
		}
	}
	there, err := os.ReadDir(s.library)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range there {
		if e.Type().IsRegular() && told[e.Name()] != 1 {
			t.Errorf("%s has %d lines", e.Name(), told[e.Name()])
		}
	}
}

// pack packs a file as logrotate does.
func pack(t *testing.T, file string) {
	t.Helper()
	out, err := os.Create(file + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(out)
	_, err = w.Write(slurp(t, file))
	if err := errors.Join(err, w.Close(), out.Close(), os.Remove(file)); err != nil {
		t.Fatal(err)
	}
}
