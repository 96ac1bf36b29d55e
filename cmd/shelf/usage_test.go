package main

import (
	"strings"
	"testing"
)

// nowhere is a server that cannot be reached, so that whatever asks it first
// ends with exitConnect.
const nowhere = "127.0.0.1:1"

// What is wrong with a command line is said without a server.
func TestUsageNeedsNoServer(t *testing.T) {
	s := newServer(t, nil)
	for _, row := range []struct{ line, says string }{
		{nowhere + " lits", "there is no command lits; did you mean list?"},
		{nowhere + " get --forse x", "unknown flag: --forse; did you mean --force?; see help get"},
		{nowhere + " put -dash.txt", "for a name that starts with -, write -- -dash.txt"},
		{nowhere + " get -j 0 x", "--jobs 0: write a number from 1 to 8"},
		{nowhere + " get -j x x", "--jobs x: write a number from 1 to 8"},
		{nowhere + " watch --settle soon x", "--settle soon: write a time such as 10s or 2m"},
		{nowhere + " quit now", "quit takes no arguments"},
		{nowhere + " help nothing", "there is no command nothing"},
		{"-p abc " + nowhere + " list", "--port abc: port abc is not a number from 1 to 65535"},
		{"--timeout soon " + nowhere, "--timeout soon: write a time such as 10s or 2m"},
		{"--jsn " + nowhere, "unknown flag: --jsn; did you mean --json?"},
		{"help nothing", "there is no command nothing"},
		{"version 2", "version takes no arguments"},
	} {
		status, out, errs := s.run(t, "", strings.Fields(row.line)...)
		want(t, status, exitUsage, errs, row.says)
		if out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: more than a line: %s%s", row.line, out, errs)
		}
	}
}

// So is help.
func TestHelpNeedsNoServer(t *testing.T) {
	s := newServer(t, nil)
	for line, says := range map[string]string{
		"help":                   "Exit status:",
		"help get":               "get NAME... [to DIR]",
		"help man":               "Write the manual page",
		"get --help":             "get NAME... [to DIR]",
		"get -h":                 "get NAME... [to DIR]",
		nowhere + " help get":    "get NAME... [to DIR]",
		nowhere + " get --help":  "get NAME... [to DIR]",
		nowhere + " --help":      "reconnect",
		nowhere + " help":        "reconnect",
		"version":                "shelf ",
		"--version":              "shelf ",
		"--timeout 10 --version": "shelf ",
	} {
		status, out, errs := s.run(t, "", strings.Fields(line)...)
		want(t, status, 0, errs)
		want(t, 0, 0, out, says)
		for line := range strings.Lines(out) {
			if len(line) > len("\n")+80 && !strings.HasPrefix(line, "shelf ") {
				t.Errorf("%d columns: %s", len(line)-1, line)
			}
		}
	}
}

// -v says with whom we speak.
func TestVerboseSaysWithWhom(t *testing.T) {
	s := newServer(t, nil)
	status, _, errs := s.run(t, "", "-v", s.addr, "list")
	want(t, status, 0, errs, "connected to ", "at "+s.addr, "SSH-2.0-Shelf", "its host key is ssh-ed25519")
}
