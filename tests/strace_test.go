package tests

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// strace traces the server with these arguments until the returned function is
// called, which returns what was traced. Clients that log in from now on come to it.
func (s *server) strace(t *testing.T, args ...string) (end func() []syscallEvent) {
	t.Helper()
	need(t, "strace")
	s.pin()
	trace := filepath.Join(t.TempDir(), "trace")
	said := newOutput()
	cmd := exec.Command("strace", append([]string{"-f", "-y", "-o", trace, "-p", strconv.Itoa(s.cmd.Process.Pid)}, args...)...)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })
	eventually(t, "strace is attached", func() bool {
		select {
		case err := <-exited:
			cannotRun(t, "strace can't attach here: %v\n%s", err, said)
		default:
		}
		return strings.Contains(said.String(), "attached")
	})
	return func() []syscallEvent {
		cmd.Process.Signal(syscall.SIGINT)
		<-exited
		return readTrace(t, trace)
	}
}

// syscallEvent is a system call, and the lines of the trace on which it began
// and ended.
type syscallEvent struct {
	name, text string
	begin, end int
}

var (
	traceWhole   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)`)
	traceResumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)`)
)

func readTrace(t *testing.T, file string) (events []syscallEvent) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	open := make(map[string]int) // by thread, the event that is unfinished
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 0; lines.Scan(); n++ {
		if m := traceResumed.FindStringSubmatch(lines.Text()); m != nil {
			if i, ok := open[m[1]]; ok {
				events[i].end = n
				events[i].text += m[3]
			}
		} else if m := traceWhole.FindStringSubmatch(lines.Text()); m != nil {
			open[m[1]] = len(events)
			events = append(events, syscallEvent{m[2], m[3], n, n})
		}
	}
	return events
}

// TestDurableOrder looks at the system calls of an upload: the content is
// synced before the name stands for it, the name before the client is told.
func TestDurableOrder(t *testing.T) {
	for _, old := range []string{"", "an older version"} {
		s := serve(t)
		if old != "" {
			s.put(t, "file", []byte(old))
		}
		c := s.dial(t)
		end := s.strace(t, "-e", "trace=fsync,fdatasync,renameat,renameat2,rename,linkat,write,writev,sendto,sendmsg")
		if err := c.upload("file", content(1, 100_000)); err != nil {
			t.Fatal(err)
		}
		checkOrder(t, end(), s.library)
	}
}

func checkOrder(t *testing.T, events []syscallEvent, library string) {
	t.Helper()
	find := func(what string, from int, is func(syscallEvent) bool) syscallEvent {
		t.Helper()
		for _, e := range events {
			if e.begin > from && is(e) {
				return e
			}
		}
		var all strings.Builder
		for _, e := range events {
			fmt.Fprintf(&all, "%d-%d %s(%.120s\n", e.begin, e.end, e.name, e.text)
		}
		t.Fatalf("no %s after line %d of:\n%s", what, from, &all)
		return syscallEvent{}
	}
	stage := find("fsync of the stage", -1, func(e syscallEvent) bool {
		return e.name == "fsync" && strings.Contains(e.text, "/.shelf/") && strings.Contains(e.text, "= 0")
	})
	rename := find("rename", stage.end, func(e syscallEvent) bool {
		return strings.HasPrefix(e.name, "rename") && strings.Contains(e.text, `"file"`)
	})
	folder := find("fsync of the folder", rename.end, func(e syscallEvent) bool {
		return e.name == "fsync" && strings.Contains(e.text, library+">")
	})
	toClient := func(e syscallEvent) bool {
		return strings.Contains(e.text, "<socket:") || strings.Contains(e.text, "<TCP")
	}
	find("reply to CLOSE", folder.end, toClient)
	for _, e := range events {
		if toClient(e) && e.begin > stage.begin && e.begin < folder.end {
			t.Errorf("the client is told at line %d, before the folder is synced at %d", e.begin, folder.end)
		}
		if strings.HasPrefix(e.name, "rename") && e.begin < stage.end {
			t.Errorf("renamed at line %d, before the stage is synced at %d", e.begin, stage.end)
		}
	}
}

// TestDiskFaults makes the disk fail below the server: the client is told, and
// the old version stays.
func TestDiskFaults(t *testing.T) {
	need(t, "sftp")
	for _, fault := range []struct{ inject, says string }{
		{"fsync:error=EIO", "the server's disk failed"},
		{"pwrite64:error=ENOSPC", "no space left on the server's disk"},
		{"pwrite64:error=EIO:when=2+", "the server's disk failed"},
		{"renameat:error=EIO", "the server's disk failed"},
		{"renameat:error=EDQUOT", "no space left on the server's disk"},
	} {
		t.Run(fault.inject, func(t *testing.T) {
			s := serve(t)
			old := content(1, 50_000)
			s.put(t, "file", old)
			source := filepath.Join(t.TempDir(), "source")
			writeRandom(t, source, 3<<20)
			call, _, _ := strings.Cut(fault.inject, ":")
			end := s.strace(t, "-e", "trace="+call, "-e", "inject="+fault.inject)
			out, err := sftpBatch(s, fmt.Sprintf("put %q file\n", source)).CombinedOutput()
			if err == nil {
				t.Error("sftp was told that all is well")
			}
			if !strings.Contains(string(out), fault.says) || strings.Contains(string(out), s.library) {
				t.Errorf("sftp shows:\n%s", out)
			}
			end()
			s.mustForget(t, old)
			succeed(t, sftpBatch(s, fmt.Sprintf("put %q file\n", source)))
		})
	}
}
