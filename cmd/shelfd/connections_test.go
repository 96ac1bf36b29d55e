package main

import (
	"testing"

	"shelf/cmd/shelfd/config"
)

// TestDescriptorsAreShared has few descriptors: what waits to log in, what is logged
// in and files have some each, and no account takes all files.
func TestDescriptorsAreShared(t *testing.T) {
	s := config.Defaults()
	for _, all := range []int{256, 1024, 4096, 1 << 20} {
		l := limits(s, all)
		if err := l.Check(); err != nil {
			t.Errorf("%d descriptors: %v", all, err)
		}
		if used := l.MaxStartups + l.MaxConnections + 2*l.OpenFiles; used >= all {
			t.Errorf("of %d descriptors %d are given away", all, used)
		}
		if l.OpenFiles < all/8 {
			t.Errorf("of %d descriptors %d are left for files", all, l.OpenFiles)
		}
	}
}
