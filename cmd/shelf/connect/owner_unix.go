//go:build unix

package connect

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedByUs tells whether a file belongs to the person who runs the program.
func ownedByUs(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Getuid()
}
