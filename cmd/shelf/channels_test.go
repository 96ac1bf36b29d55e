package main

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// A server that opens few channels gets what it can take, and no more is waited
// for: be it so few that questions and transfers share one.
func TestFewChannels(t *testing.T) {
	const count = 40
	for most := range int64(4) {
		t.Run(fmt.Sprintf("%d at most", 1+most), func(t *testing.T) {
			files := map[string]string{}
			s := newServer(t, files)
			s.most = 1 + most
			dir, args := t.TempDir(), []string{s.addr, "put"}
			for i := range count {
				file := filepath.Join(dir, fmt.Sprint(i))
				save(t, file, fmt.Sprint("content ", i))
				args = append(args, file)
			}
			status, _, errs := s.run(t, "", args...)
			want(t, status, 0, errs)
			if len(files) != count {
				t.Errorf("%d files were published", len(files))
			}
			status, _, errs = s.run(t, "", s.addr, "get", "-j", "8", "*", "to", t.TempDir())
			want(t, status, 0, errs)
		})
	}
}

// The channel of a transfer is opened while the first requests wait for their
// replies. A channel of this server answers only when there are two.
func TestTransferChannelIsOpenedAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "b")
	save(t, file, "content")
	for _, command := range [][]string{{"get", "a", "to", t.TempDir()}, {"put", file}} {
		t.Run(command[0], func(t *testing.T) {
			s := newServer(t, map[string]string{"a": "content"})
			var opened atomic.Int64
			two := make(chan struct{})
			s.sftp = func(c ssh.Channel) {
				if opened.Add(1) == 2 {
					close(two)
				}
				select {
				case <-two:
					sftp.NewRequestServer(c, s.handlers).Serve()
				case <-t.Context().Done():
				}
			}
			status, _, errs := s.run(t, "", append([]string{"--timeout", "10s", s.addr}, command...)...)
			want(t, status, 0, errs)
		})
	}
}
