package main

import (
	"fmt"
	"strings"
)

// Exit statuses; statuses says what they mean.
const (
	exitDone    = 0
	exitSome    = 1
	exitUsage   = 2
	exitConnect = 3
	exitHostKey = 4
	exitRefused = 5
)

// statuses are their meanings, for the help and the manual page.
func statuses() []string {
	return []string{
		exitDone:    "all was done",
		exitSome:    "a command, or some of its files, failed",
		exitUsage:   "the command line is wrong",
		exitConnect: "there is no connection, or it was lost",
		exitHostKey: "the host key is not trusted",
		exitRefused: "the server did not let us in",
	}
}

// statusHelp has a line for each.
func statusHelp() string {
	var b strings.Builder
	b.WriteString("Exit status:\n\n")
	for i, meaning := range statuses() {
		fmt.Fprintf(&b, "  %d  %s\n", i, meaning)
	}
	return b.String()
}

// exitError is an error with the status to exit with.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usageErrorf(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}
