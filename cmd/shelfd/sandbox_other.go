//go:build !linux

package main

import "errors"

func restrict(reach, bool) error { return errors.New("this system has no Landlock") }

func filterCalls() error { return errors.New("this system has no seccomp") }
