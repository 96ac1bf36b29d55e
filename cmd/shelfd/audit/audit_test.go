package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"

	"shelf/cmd/shelfd/audit"
	"shelf/sshd"
)

func open(t *testing.T, path string, r audit.Rules) *audit.Log {
	t.Helper()
	l, err := audit.Open(audit.Options{Path: path, Host: "here", Log: slog.New(slog.DiscardHandler), Rules: r})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// lines are those of a file; each must be one of ours.
func lines(t *testing.T, path string) (all []audit.Line) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line == "\n" {
			continue
		}
		var l audit.Line
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Seq == 0 || l.ID == "" || l.Host != "here" || l.Time.IsZero() {
			t.Errorf("%v: %q", err, line)
		}
		all = append(all, l)
	}
	return all
}

// told are operations and numbers of lines.
func told(all []audit.Line) string {
	var b strings.Builder
	for _, l := range all {
		fmt.Fprintf(&b, " %s%d", l.Op, l.Seq)
	}
	return strings.TrimPrefix(b.String(), " ")
}

func put(name string) sshd.Event { return sshd.Event{Op: "put", Name: name, Durable: true} }

const filled = "SHELFD_TEST_FILLED"

// A disk that is full is played by a limit on the size of files, in a process of
// its own, since the limit is for good.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(filled); dir != "" {
		fill(t, filepath.Join(dir, "audit"))
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), filled+"="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func fill(t *testing.T, path string) {
	var log bytes.Buffer
	l, err := audit.Open(audit.Options{Path: path, Host: "here", Log: slog.New(slog.NewTextHandler(&log, nil)), Rules: audit.Rules{Refuse: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Report(put("file")); err != nil {
		t.Fatal(err)
	}
	limit := func(size uint64) {
		t.Helper()
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: 1 << 40}); err != nil {
			t.Fatal(err)
		}
	}
	const lost = 5
	limit(uint64(l.Counters().Size) + 10) // a part of the next line fits
	for range lost {
		if l.Report(put("file")) == nil {
			t.Error("what is not recorded is acknowledged")
		}
	}
	if l.Ready() == nil {
		t.Error("a log that cannot be written is ready")
	}
	if c := l.Counters(); !c.Failing || c.Failures != lost || c.LastError == "" || strings.Contains(c.LastError, "/") || c.LastFailure.IsZero() || c.Lines != 1 {
		t.Errorf("%+v", c)
	}
	if n := strings.Count(log.String(), "events are not recorded"); n != 1 {
		t.Errorf("the log is told %d times:\n%s", n, log.String())
	}
	limit(1 << 30)
	if err := l.Ready(); err != nil {
		t.Error(err)
	}
	if err := l.Report(put("file")); err != nil {
		t.Error(err)
	}
	if c := l.Counters(); c.Failing || c.Lines != 3 {
		t.Errorf("%+v", c)
	}
	all := lines(t, path)
	if told(all) != "put1 lost2 put3" || all[1].Lines != lost || all[1].Reason == "" {
		t.Errorf("the lines are %+v", all)
	}
	l.Set(audit.Rules{})
	limit(1)
	if err := l.Report(put("file")); err != nil || l.Ready() != nil || l.Health() == nil {
		t.Errorf("with continue something is refused, or it looks well: %v", err)
	}
}

// Lines go on in a new file when the old one has been renamed. Numbers go on, too,
// also after a restart that finds no file but the renamed one.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{Mode: 0o640})
	report := func(name string) {
		t.Helper()
		if err := l.Report(put(name)); err != nil {
			t.Fatal(err)
		}
	}
	rename := func(to string) {
		t.Helper()
		if err := os.Rename(path, path+to); err != nil {
			t.Fatal(err)
		}
	}
	report("one")
	rename(".1")
	report("two")
	if err := errors.Join(l.Reopen(), l.Reopen()); err != nil {
		t.Fatal(err)
	}
	report("three")
	for file, want := range map[string]string{path + ".1": "put1 put2", path: "put3"} {
		if got := told(lines(t, file)); got != want {
			t.Errorf("%s has %s", file, got)
		}
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v, %v", i.Mode(), err)
	}
	l.Close()
	os.Chtimes(path+".1", time.Unix(1, 0), time.Unix(1, 0))
	rename(".2")
	l = open(t, path, audit.Rules{})
	defer l.Close()
	report("four")
	if got := told(lines(t, path)); got != "put4" {
		t.Error("after a restart:", got)
	}
	first, second := lines(t, path+".2")[0], lines(t, path)[0]
	if strings.Split(first.ID, "-")[0] == strings.Split(second.ID, "-")[0] {
		t.Error("two runs of the server have the same ids")
	}
	if _, err := audit.Open(audit.Options{Path: filepath.Join(path, "x")}); !errors.Is(err, syscall.ENOTDIR) {
		t.Error("a log in no folder is opened:", err)
	}
	if _, err := os.Stat(path + ".x"); audit.Check(path+".x") != nil || !errors.Is(err, fs.ErrNotExist) || audit.Check(path+"/x") == nil {
		t.Error("Check", err)
	}
}

// A crash has left a part of a line. It is cut off, and nothing else is.
func TestTornByACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{})
	l.Report(put("one"))
	l.Report(put("two"))
	l.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range text {
		if err := os.WriteFile(path, text[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, path, audit.Rules{})
		l.Report(put("after"))
		l.Close()
		whole := bytes.Count(text[:n], []byte("\n"))
		if all := lines(t, path); len(all) != whole+1 || all[whole].Seq != uint64(whole+1) {
			t.Fatalf("cut at %d: %s", n, told(all))
		}
	}
}

// A file that is too large is renamed, and the oldest go. No line is lost.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit")
	l := open(t, path, audit.Rules{MaxSize: 2000})
	const each = 50
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range each {
				if err := l.Report(put("file")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	files, err := filepath.Glob(path + ".*")
	if err != nil || len(files) < 3 || int(l.Counters().Rotations) != len(files) {
		t.Fatalf("%v, %v", files, err)
	}
	seq := uint64(0)
	for _, file := range append(files, path) {
		for _, line := range lines(t, file) {
			if seq++; line.Seq != seq {
				t.Fatalf("line %d is followed by line %d", seq-1, line.Seq)
			}
		}
	}
	if seq != 4*each {
		t.Errorf("%d lines", seq)
	}
	l.Close()
	l = open(t, path, audit.Rules{MaxSize: 1, Keep: 2})
	defer l.Close()
	if err := os.WriteFile(path+".1", nil, 0o600); err != nil { // another's
		t.Fatal(err)
	}
	l.Report(put("file"))
	files, _ = filepath.Glob(path + ".*")
	if len(files) != 3 || files[0] != path+".1" {
		t.Errorf("what stays: %v", files)
	}
}

// If no new file can be begun, the old one goes on.
func TestRotationFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit")
	l := open(t, path, audit.Rules{MaxSize: 1, Refuse: true})
	defer l.Close()
	if os.Geteuid() == 0 {
		t.Skip("root can write to every folder")
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	for range 3 {
		if err := l.Report(put("file")); err != nil {
			t.Error(err)
		}
	}
	if got := told(lines(t, path)); got != "put1 put2 put3" {
		t.Error(got)
	}
}

// Whatever clients send, an event is one line of printable characters.
func TestLinesCannotBeForged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path, audit.Rules{})
	defer l.Close()
	all := []string{
		"a\n{\"op\":\"login\"}", "\x1b[2J\x1b]0;x\a", "\u009b31m", "\x7f", "\u202etxt.exe",
		"\xff\xfe", "a\r", "\u2028", `"`, `\n`, "x=\"y\"", "a\x00b", "\ufeff", "<&>",
	}
	for _, evil := range all {
		l.Report(sshd.Event{Op: "put", Account: evil, Name: evil, Target: evil, ClientVersion: evil, Method: evil, Source: evil, Err: errors.New(evil)})
	}
	if got := lines(t, path); len(got) != len(all) || got[len(all)-1].Name != "<&>" {
		t.Errorf("%d events have %d lines", len(all), len(got))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", line)
		}
	}
}
