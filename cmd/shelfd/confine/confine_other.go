//go:build !linux

package confine

import "errors"

// Files is not to be had here.
func Files(Reach, bool) error { return errors.New("this system has no Landlock") }

// Calls is not to be had here.
func Calls(bool) error { return errors.New("this system has no seccomp") }
