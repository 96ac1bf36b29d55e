package tests

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestShrinksWhileRead: a file becomes smaller on disk while sftp downloads it,
// with the server in the middle of the answer to a long READ. The session ended,
// and with it the rest of the batch.
func TestShrinksWhileRead(t *testing.T) {
	need(t, "sftp")
	s := serve(t)
	s.put(t, "other", []byte("other"))
	big, dir := filepath.Join(s.library, "big"), t.TempDir()
	must(t, os.WriteFile(big, nil, 0o644), os.Truncate(big, 1<<30))

	// sftp asks for one piece more with each that arrives, up to 64 of 255 KiB.
	// Then both it and ssh are stopped, until the window and the socket are full:
	// now the server waits within an answer.
	cmd := sftpBatch(s, fmt.Sprintf("-get big %s/big\nget other %s/other\n", dir, dir))
	cmd.Args = append(cmd.Args[:1], append([]string{"-B", "261120", "-R", "64"}, cmd.Args[1:]...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // sftp and its ssh
	said := newOutput()
	cmd.Stdout, cmd.Stderr = said, said
	must(t, cmd.Start())
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	eventually(t, "so much has arrived", func() bool {
		i, err := os.Stat(filepath.Join(dir, "big"))
		return err == nil && i.Size() > 64*261120
	})
	must(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGSTOP))
	eventually(t, "the server waits", func() bool {
		before := s.written(t)
		time.Sleep(200 * time.Millisecond)
		return s.written(t) == before
	})
	must(t, os.Truncate(big, 10_000), syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT))
	err := cmd.Wait()
	if got, e := os.ReadFile(filepath.Join(dir, "other")); string(got) != "other" {
		t.Errorf("the file after it is %q, %v; sftp: %v\n%s", got, e, err, said)
	}
}

// written is how much the server has sent or written so far.
func (s *server) written(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(string(slurp(t, fmt.Sprintf("/proc/%d/io", s.cmd.Process.Pid)))) {
		if strings.HasPrefix(line, "wchar:") {
			return line
		}
	}
	t.Fatal("no wchar in /proc/PID/io")
	return ""
}

// TestReadsFarBehindTheEnd: paramiko reads where no file is, up to the last
// offset there can be. That is the end of the file, and no error of the disk:
// anybody could fill the log with those.
func TestReadsFarBehindTheEnd(t *testing.T) {
	s := serve(t)
	s.put(t, "file", []byte("0123456789"))
	out, err := s.snippet(t, paramiko, nil, paramikoSession+`
from paramiko.sftp import CMD_READ
from paramiko.py3compat import long as int64
with s.open("file") as f:
    for offset in 10, 2**31, 2**62, 2**63 - 40_000, 2**63 - 10, 2**63 - 1, 2**63, 2**64 - 10, 2**64 - 1:
        for length in 1, 32768, 261120:
            try:
                s._request(CMD_READ, f.handle, int64(offset), length)
                print(offset, length, "was read")
            except EOFError:
                pass
            except Exception as e:
                print(offset, length, repr(e))
    f.seek(0)
    print(f.read() == b"0123456789")`)
	if err != nil || out != "True\n" {
		t.Errorf("%v\n%s", err, out)
	}

	f, err := s.dial(t).Open("file")
	must(t, err)
	for _, off := range []int64{1 << 62, math.MaxInt64 - 32768, math.MaxInt64 - 5} {
		if n, err := f.ReadAt(make([]byte, 5), off); n != 0 || err == nil || err.Error() != "EOF" {
			t.Errorf("pkg/sftp at %d: %d bytes, %v", off, n, err)
		}
	}
	if log := s.stderr.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
		t.Errorf("the log has:\n%s", log)
	}
}
