//go:build !linux

package main

import "errors"

func restrict(_, _, _ []string, _ bool) error { return errors.New("this system has no Landlock") }
