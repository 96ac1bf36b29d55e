package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"shelf/cmd/shelf/connect"
	"shelf/cmd/shelf/receipt"
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

// statuses is their meanings, for the help and the manual page.
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

// statusHelp is the help about exit statuses.
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

// statusOf is the exit status that an error stands for, if it stands for one.
func statusOf(err error) (status int, known bool) {
	if e := (*exitError)(nil); errors.As(err, &e) {
		return e.status, true
	}
	if e := (*connect.Error)(nil); errors.As(err, &e) {
		return map[connect.Kind]int{
			connect.Usage:       exitUsage,
			connect.Unreachable: exitConnect,
			connect.Untrusted:   exitHostKey,
			connect.Refused:     exitRefused,
		}[e.Kind], true
	}
	if e := (*receipt.Error)(nil); errors.As(err, &e) {
		return map[bool]int{false: exitSome, true: exitHostKey}[e.Untrusted], true
	}
	return exitUsage, false
}

// exitStatus is the status to exit with after an error. An error without a status is
// one of the command line.
func exitStatus(err error) int {
	status, known := statusOf(err)
	if !known && errors.Is(err, context.Canceled) {
		return exitSome
	}
	return status
}
