package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// cuttingReads cuts the connection in the middle of a file.
type cuttingReads struct {
	*library
	at  int64
	cut func()
}

func (c cuttingReads) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	f, err := c.library.Fileread(r)
	return readerAt(func(p []byte, off int64) (int, error) {
		if off >= c.at {
			c.cut()
		}
		return f.ReadAt(p, off)
	}), err
}

type readerAt func([]byte, int64) (int, error)

func (f readerAt) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// unreadable is what a drop box answers to who would read.
type unreadable struct{}

func (unreadable) Fileread(*sftp.Request) (io.ReaderAt, error) {
	return nil, sftp.ErrSSHFxPermissionDenied
}

// A put of many files that is cut goes on with those that are not done, in a script
// as well; no file is told to have failed that is done in the end.
func TestRetry(t *testing.T) {
	files := map[string]string{}
	s := newServer(t, files)
	l := s.handlers.FilePut.(*library)
	var cuts atomic.Int32
	s.handlers.FilePut = cuttingWrites{l, func(name string) {
		if name == "2" && cuts.Add(1) <= 2 {
			s.last.Load().Close()
		}
	}}
	dir := t.TempDir()
	var names []string
	for _, name := range []string{"1", "2", "3"} {
		save(t, filepath.Join(dir, name), name)
		names = append(names, filepath.Join(dir, name))
	}
	line := "put -j 1 --json " + strings.Join(names, " ") + "\nget 3 to " + dir + " as 4"
	status, out, errs := s.run(t, line, s.addr)
	want(t, status, 0, errs, "connecting again in 1s (1 of 3)", "connecting again in 2s (2 of 3)")
	want(t, 0, 0, out, `{"event":"retrying","error":"the connection is lost","seconds":1}`, `"done":3,"same":0,"failed":0`)
	if strings.Contains(out, `"failed","command"`) || files["1"]+files["2"]+files["3"] != "123" {
		t.Errorf("there is %v; said:\n%s", files, out)
	}
	if opens := strings.Count(strings.Join(l.opens, "\n"), "1 {"); opens != 1 {
		t.Errorf("the file that was done is opened %d times", opens)
	}
}

// cuttingWrites tells of each file that is opened for writing.
type cuttingWrites struct {
	*library
	open func(name string)
}

func (c cuttingWrites) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	c.open(strings.TrimPrefix(r.Filepath, "/"))
	return c.library.Filewrite(r)
}

// A server that is not there again is tried so often and no more, one with another
// host key not even once more: what was cut stays so.
func TestRetryInVain(t *testing.T) {
	for how, row := range map[string]struct {
		retry, says string
		status      int
	}{
		"never":     {"0", "f: the connection is lost", exitConnect},
		"too often": {"1", "connecting again in 1s (1 of 1)", exitConnect},
		"another":   {"3", "CHANGED", exitHostKey},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, map[string]string{"f": text})
			s.handlers.FileGet = cuttingReads{s.handlers.FileGet.(*library), halfSize, func() {
				if how == "another" {
					host, _, _ := bytes.Cut(must(os.ReadFile(s.known)), []byte(" "))
					os.WriteFile(s.known, append(host, " "+publicLine(newKey(t))...), 0o600)
				}
				s.last.Load().Close()
			}}
			dir := t.TempDir()
			status, _, errs := s.run(t, "", s.addr, "get", "--retry", row.retry, "f", "to", dir)
			want(t, status, row.status, errs, row.says)
			if n := strings.Count(errs, "connecting again"); how == "another" && n != 1 {
				t.Errorf("it is tried %d times:\n%s", n, errs)
			}
			if _, err := os.Stat(filepath.Join(dir, "f")); err == nil {
				t.Error("a part has the name of the whole")
			}
		})
	}
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

// publicLine is a key as known_hosts has it.
func publicLine(k key) string { return string(ssh.MarshalAuthorizedKey(k.signer.PublicKey())) }
