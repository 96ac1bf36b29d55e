// Package dirfd is about folders by their open descriptors, since a path may lead
// elsewhere by the next call.
//
//	dirfd.go    open a folder in another one; what has lost its name
//	entries.go  what is in one
package dirfd

import (
	"os"

	"golang.org/x/sys/unix"
)

// Open opens the folder of that name in another one. It follows no link.
func Open(in int, name string) (*os.File, error) {
	fd, err := unix.Openat(in, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// IsRemoved tells of an open file or folder that it has no name any more. Nothing can be
// made in such a folder.
func IsRemoved(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Nlink == 0
}
