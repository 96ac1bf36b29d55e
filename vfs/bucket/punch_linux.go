package bucket

import (
	"os"

	"golang.org/x/sys/unix"
)

// punch gives back to the disk what a span of a file takes.
func punch(f *os.File, off, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}
