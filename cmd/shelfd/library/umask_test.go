package library

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The umask is found out and left as it was.
func TestUmask(t *testing.T) {
	before := unix.Umask(0o027)
	defer unix.Umask(before)
	if got := umask(); got != 0o027 {
		t.Errorf("found %o", got)
	}
	if now := unix.Umask(0o027); now != 0o027 {
		t.Errorf("left %o", now)
	}
}
