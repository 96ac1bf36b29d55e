package main

import (
	"fmt"
	"path/filepath"
	"testing"
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
