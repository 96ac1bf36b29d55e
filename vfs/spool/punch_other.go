//go:build !linux

package spool

import (
	"errors"
	"os"
)

// Punch gives back to the disk what a span of a file takes, where the system can.
func Punch(*os.File, int64, int64) error { return errors.ErrUnsupported }
