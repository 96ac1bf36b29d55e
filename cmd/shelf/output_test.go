package main

import (
	"bytes"
	"os"
	"testing"
)

// What cannot be written is not done.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	s := newServer(t, map[string]string{"f": "x"})
	for _, words := range [][]string{
		{"-F", "none", "-i", s.identity, "--known-hosts", s.known, s.addr, "info", "f"},
		{"-F", "none", "-i", s.identity, "--known-hosts", s.known, "--json", s.addr, "list"},
		{"help", "get"}, {"man"}, {"--help"}, {"completion", "bash"},
	} {
		var errs bytes.Buffer
		status := run(words, streams{os.Stdin, full, &errs})
		want(t, status, exitSome, errs.String(), "could not write all of the output: no space left on device")
	}
}
