package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// A server that answers only when much has come: no OPEN before forty others, and no
// WRITE before the CLOSE of the same file. Who waits in between waits for ever.
func lazy(answers func(r request) packet) func(request, io.Writer) {
	var held []request
	opens := 0
	usual := plain(0, nil)
	return func(r request, out io.Writer) {
		switch r.kind {
		case fxpOpen, fxpWrite:
			if held = append(held, r); r.kind == fxpOpen {
				opens++
			}
			if opens < 40 {
				return
			}
		case fxpStat:
			out.Write(newPacket(0).uint32(fxNoSuchFile).string("").string("").seal(fxpStatus, r.id))
			return
		case fxpClose:
		default:
			usual(r, out)
			return
		}
		if r.kind == fxpWrite {
			return
		}
		for _, h := range held {
			out.Write(answers(h))
		}
		held = nil
		if r.kind == fxpClose {
			usual(r, out)
		}
	}
}

func putForty(t *testing.T, answers func(r request) packet) (status int, errs string) {
	t.Helper()
	s := hostile(t, lazy(answers))
	dir, args := t.TempDir(), []string{s.addr, "put", "--retry", "0"}
	for i := range 40 {
		file := filepath.Join(dir, fmt.Sprint(i))
		save(t, file, fmt.Sprint("content ", i))
		args = append(args, file)
	}
	status, _, errs = s.run(t, "", args...)
	return status, errs
}

// Many small files are on their way at a time, and after OPEN a file waits for
// nothing.
func TestManySmallFilesAtOnce(t *testing.T) {
	status, errs := putForty(t, func(r request) packet {
		if r.kind == fxpOpen {
			return newPacket(0).string(fmt.Sprint(r.id)).seal(fxpHandle, r.id)
		}
		return newPacket(0).uint32(fxOK).string("").string("").seal(fxpStatus, r.id)
	})
	want(t, status, 0, errs)
}

// A WRITE that fails is the file's failure, though its CLOSE was sent by then.
func TestSmallFileThatIsNotWritten(t *testing.T) {
	status, errs := putForty(t, func(r request) packet {
		if r.kind == fxpOpen {
			return newPacket(0).string(fmt.Sprint(r.id)).seal(fxpHandle, r.id)
		}
		return newPacket(0).uint32(fxFailure).string("the disk is full").string("").seal(fxpStatus, r.id)
	})
	want(t, status, exitSome, errs, "40 of 40 files failed")
	if n := strings.Count(errs, "the disk is full"); n != 40 {
		t.Errorf("%d files failed:\n%s", n, errs)
	}
}
