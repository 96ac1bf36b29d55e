package spool

import (
	"os"

	"golang.org/x/sys/unix"
)

// Punch gives back to the disk what a span of a file takes.
func Punch(f *os.File, off, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}
