package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// command is one thing that the prompt takes.
type command struct {
	name    string
	aliases []string
	usage   string
	summary string
	more    string // for help NAME
	run     func(s *shell, ctx context.Context, args []string) error
}

// commands is the table, in the order that help prints.
func commands() []command {
	return []command{
		{"list", []string{"ls", "dir"}, "list [PATTERN]", "list the files, or those that match, such as '*.pdf'",
			"Size, time and name, sorted by name.", (*shell).list},
		{"get", []string{"download"}, "get NAME... [to DIR]", "download files",
			"A file appears under its name when all of it is here; one of that name is replaced.", (*shell).get},
		{"put", []string{"upload"}, "put FILE...", "upload files",
			"Each is stored under its last name. A file of that name is replaced when all of the new one is there.", (*shell).put},
		{"help", []string{"?"}, "help [COMMAND]", "say what can be done", "", (*shell).help},
		{"quit", []string{"exit", "bye", "q"}, "quit", "end; Ctrl-D does, too", "", (*shell).quit},
	}
}

// find looks a command up by its name or alias.
func find(word string) (command, error) {
	best, distance := "", 3 // further is no typing error
	for _, c := range commands() {
		for _, name := range append([]string{c.name}, c.aliases...) {
			if name == word {
				return c, nil
			}
			if d := editDistance(word, name); d < distance && d < len(name) {
				best, distance = name, d
			}
		}
	}
	if best != "" {
		return command{}, usageErrorf("there is no command %s; did you mean %s?", printable(word), best)
	}
	return command{}, usageErrorf("there is no command %s; help lists them", printable(word))
}

// editDistance is how many letters must be added, removed or replaced to make
// b of a (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		corner := row[0]
		row[0] = i + 1
		for j := range b {
			replace := corner
			if a[i] != b[j] {
				replace++
			}
			corner = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// help is the table as text.
func help() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-22s%s\n", c.usage, c.summary)
	}
	return b.String()
}

func (s *shell) help(_ context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(s.out, help())
		return nil
	}
	for _, word := range args {
		c, err := find(word)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s: %s\n", c.usage, c.summary)
		if c.more != "" {
			fmt.Fprintln(s.out, c.more)
		}
		if len(c.aliases) > 0 {
			fmt.Fprintf(s.out, "Also: %s\n", strings.Join(slices.Sorted(slices.Values(c.aliases)), ", "))
		}
	}
	return nil
}

func (s *shell) quit(context.Context, []string) error { return errQuit }
