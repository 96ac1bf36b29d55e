package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
)

// refusing cuts the connection at the first file that is put.
type refusing struct {
	*library
	s *server
}

func (r refusing) Filewrite(*sftp.Request) (io.WriterAt, error) {
	r.s.last.Load().Close()
	return nil, io.EOF
}

// Of many files that were not begun, when the connection is lost, there is one
// line, and what to say to people is not said to scripts.
func TestNotBegun(t *testing.T) {
	s := newServer(t, nil)
	s.handlers.FilePut = refusing{s.handlers.FileGet.(*library), s}
	dir := t.TempDir()
	args := []string{s.addr, "put", "-j", "1", "--retry", "0"}
	for i := range 50 {
		file := filepath.Join(dir, fmt.Sprint(i))
		save(t, file, "x")
		args = append(args, file)
	}
	status, out, errs := s.run(t, "", args...)
	want(t, status, exitConnect, errs, "49 files were not started\n", "50 of 50 files failed")
	if out != "" {
		t.Errorf("a sum of nothing: %s", out)
	}
	if n := strings.Count(errs, "\n"); n != 3 {
		t.Errorf("%d lines are said:\n%s", n, errs)
	}
	_, out, _ = s.run(t, "", append([]string{"--json"}, args...)...)
	if n := strings.Count(out, `{"event":"failed","command":"put"`); n != 50 {
		t.Errorf("scripts are told of %d files:\n%s", n, out)
	}
	want(t, 0, 0, out, `{"event":"summary","command":"put","done":0,"same":0,"failed":50,"moved":0,`)
}

// At the end of many files there is a sum.
func TestSummary(t *testing.T) {
	s := newServer(t, map[string]string{"a": "12345", "b": "123", "c": "1"})
	dir := t.TempDir()
	status, _, errs := s.run(t, "", s.addr, "get", "a", "to", dir)
	want(t, status, 0, errs)
	status, out, errs := s.run(t, "", s.addr, "get", "*", "to", dir)
	want(t, status, 0, errs)
	want(t, 0, 0, out, "got 2 files: 4 B in ", "; 1 file was there already\n")
}
