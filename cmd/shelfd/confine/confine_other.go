//go:build !linux

package confine

import "errors"

// Files is not to be had here.
func Files(Reach, bool) error { return errors.New("this system has no Landlock") }

// Needs are calls that some servers need.
type Needs struct{ Connects, Passes bool }

// ScannerCalls is not to be had here.
func ScannerCalls() error { return Calls(Needs{}) }

// Calls is not to be had here.
func Calls(Needs) error { return errors.New("this system has no seccomp") }
