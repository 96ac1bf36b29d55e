package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// What is stopped while the server makes the digest of a beginning keeps that
// beginning: nobody has found it wrong.
func TestStoppedInDigest(t *testing.T) {
	const half, whole = 50_000, 100_000
	text := strings.Repeat("x", whole)
	for how, row := range map[string]struct {
		stop   func(*server)
		status int
	}{
		"Ctrl-C":    {func(*server) { syscall.Kill(os.Getpid(), syscall.SIGINT) }, exitSome},
		"cut":       {func(s *server) { s.last.Load().Close() }, exitConnect},
		"no digest": {nil, 0},
	} {
		serve := func(t *testing.T, there string) (*server, *library) {
			s := newServer(t, map[string]string{"f": there})
			s.exec = func(c ssh.Channel) {
				if row.stop == nil {
					exitStatus(c, 127)
					return
				}
				row.stop(s)
				for err := error(nil); err == nil; { // until it is left
					_, err = c.SendRequest("anybody@there", true, nil)
				}
			}
			return s, s.handlers.FileGet.(*library)
		}
		t.Run("get "+how, func(t *testing.T) {
			s, _ := serve(t, text)
			dir := t.TempDir()
			part := filepath.Join(dir, partName(s.addr, "/f", attrs{size: whole, modified: modTime}))
			save(t, part, text[:half])
			status, _, errs := s.run(t, "", s.addr, "get", "f", "to", dir)
			want(t, status, row.status, errs)
			kept, err := os.ReadFile(part)
			if stopped := row.stop != nil; stopped && string(kept) != text[:half] || !stopped && err == nil {
				t.Errorf("the part holds %d bytes: %v", len(kept), err)
			}
		})
		t.Run("put "+how, func(t *testing.T) {
			s, l := serve(t, text[:half])
			file := filepath.Join(t.TempDir(), "f")
			save(t, file, text)
			status, _, errs := s.run(t, "", s.addr, "put", file)
			if row.stop != nil { // else it is read back, which this server does not allow
				want(t, status, row.status, errs)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if stopped := row.stop != nil; stopped != (len(l.opens) == 0) {
				t.Errorf("opened for writing: %q", l.opens)
			}
		})
	}
}
