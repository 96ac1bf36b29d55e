package main

import (
	"fmt"
	"slices"
	"strings"
)

// command is one thing the prompt takes.
type verb struct {
	name    string
	aliases []string
	usage   string
	summary string
	run     func(s *shell, args []string) error
}

// verbs is the table of commands, in the order that help prints.
func verbs() []verb {
	return []verb{
		{"list", []string{"ls", "dir"}, "list [PATTERN]", "list the files, or those that match", (*shell).list},
		{"get", nil, "get NAME... [to DIR]", "download files", (*shell).get},
		{"put", nil, "put FILE...", "upload files", (*shell).put},
		{"help", []string{"?"}, "help [COMMAND]", "say what can be done", (*shell).help},
		{"quit", []string{"exit", "bye", "q"}, "quit", "end (Ctrl-D does, too)", (*shell).quit},
	}
}

func find(word string) (verb, error) {
	for _, v := range verbs() {
		if v.name == word || slices.Contains(v.aliases, word) {
			return v, nil
		}
	}
	return verb{}, fmt.Errorf("there is no command %s; help lists them", printable(word))
}

// help is the table as text.
func help() string {
	var b strings.Builder
	for _, v := range verbs() {
		fmt.Fprintf(&b, "  %-22s %s\n", v.usage, v.summary)
	}
	return b.String()
}

func (s *shell) help(args []string) error {
	if len(args) == 0 {
		fmt.Fprint(s.out, help())
		return nil
	}
	v, err := find(args[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %s\n", v.usage, v.summary)
	if len(v.aliases) > 0 {
		fmt.Fprintf(s.out, "also: %s\n", strings.Join(v.aliases, ", "))
	}
	return nil
}

func (s *shell) quit([]string) error { return errQuit }
