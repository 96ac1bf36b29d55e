package main

import (
	"strings"
	"testing"

	"shelf/cmd/shelf/ui"
)

// A name that is not there is an error, and no empty list; others are listed.
func TestListAbsent(t *testing.T) {
	s := newServer(t, map[string]string{"a": "x", "b": "y"})
	status, out, errs := s.run(t, "", s.addr, "list", "nope")
	want(t, status, exitSome, errs, "list: nope: no such file\n")
	if out != "" || strings.Count(errs, "\n") != 1 {
		t.Errorf("said:\n%s%s", out, errs)
	}
	status, out, errs = s.run(t, "", s.addr, "list", "nope", "a", "*.none")
	want(t, status, exitSome, errs, "nope: no such file\n", "list: 1 of 3 files failed\n")
	want(t, 0, 0, out, "  a\n")
	status, out, errs = s.run(t, "", "--json", s.addr, "list", "nope", "a")
	want(t, status, exitSome, errs)
	want(t, 0, 0, out, `{"event":"file","name":"a"`, `{"event":"failed","name":"nope","error":"no such file"}`, `{"event":"listed","files":1}`)
	status, _, errs = s.run(t, "", s.addr, "list", "*.none")
	want(t, status, 0, errs, "no files")
}

// Scripts are told of whatever ends a command, and that there is nothing.
func TestEventsOfErrors(t *testing.T) {
	s := newServer(t, map[string]string{"a": "x"})
	for _, row := range []struct{ line, event string }{
		{s.addr + " get *.none", `{"event":"error","error":"get: no file matches *.none"}`},
		{s.addr + " rename a b", `{"event":"error","error":"rename: a to b: permission denied`},
		{s.addr + " lits", `{"event":"error","error":"there is no command lits; did you mean list?"}`},
		{nowhere + " list", `{"event":"error","error":"no connection to 127.0.0.1:1`},
		{s.addr + " list *.none", `{"event":"listed","files":0}`},
		{s.addr + " help get", `{"event":"help","name":"get","usage":"get NAME... [to DIR]"`},
		{s.addr + " help", `{"event":"help","name":"quit"`},
	} {
		_, out, _ := s.run(t, "", append([]string{"--json"}, strings.Fields(row.line)...)...)
		want(t, 0, 0, out, row.event)
		for line := range strings.Lines(out) {
			if !strings.HasPrefix(line, "{") {
				t.Errorf("%s: no event: %s", row.line, line)
			}
		}
	}
	_, out, _ := s.run(t, "", s.addr, "get", "--json", "*.none")
	want(t, 0, 0, out, `{"event":"error","error":"no file matches *.none"}`)
	_, out, _ = s.run(t, "", "--json", s.addr, "sync", "-n", "testdata")
	if strings.Contains(out, `"error":""`) {
		t.Errorf("an error that is none: %s", out)
	}
}

func TestInfoOfSeveral(t *testing.T) {
	s := newServer(t, map[string]string{"a": "x", "b": "y"})
	status, out, errs := s.run(t, "", s.addr, "info", "a", "b")
	want(t, status, 0, errs)
	if strings.Count(out, "\n\nname ") != 1 {
		t.Errorf("printed\n%s", out)
	}
	status, _, errs = s.run(t, "", s.addr, "info", "nope")
	want(t, status, exitSome, errs, "shelf: info: nope: file does not exist\n")
}

// What is not there is said before anything is asked.
func TestRemoveAsks(t *testing.T) {
	s := newServer(t, map[string]string{"a": "x"})
	status, _, errs := s.run(t, "", s.addr, "remove", "a", "nope")
	want(t, status, exitSome, errs, "nope: file does not exist; nothing was removed")
	status, _, errs = s.run(t, "", s.addr, "remove", "a")
	want(t, status, exitSome, errs, "there is no terminal to ask at; --force removes without asking")
	for question, names := range map[string]string{
		"Remove a from the server?":                    "a",
		"Remove a, b and c from the server?":           "c a b",
		"Remove 7 files from the server, from a to g?": "g c a b d e f",
		`Remove \x1b and \u202e from the server?`:      "\u202e \x1b",
	} {
		if got := ui.Printable(removeQuestion(strings.Fields(names))); got != question {
			t.Errorf("%s\nwant %s", got, question)
		}
	}
}
