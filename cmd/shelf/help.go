package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// help is the table as text.
func help() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-22s%s\n", c.usage, c.summary)
	}
	return b.String()
}

func (s *shell) help(_ context.Context, _ *choices, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(s.out, help())
		return nil
	}
	for _, word := range args {
		c, err := find(word)
		if err != nil {
			return err
		}
		fmt.Fprint(s.out, c.help())
	}
	return nil
}

// help is all about one command.
func (c command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", c.usage, c.summary)
	if c.more != "" {
		fmt.Fprintf(&b, "\n%s\n", c.more)
	}
	if f := c.flagSet(&choices{}); f.HasFlags() {
		fmt.Fprintf(&b, "\n%s", f.FlagUsagesWrapped(80))
	}
	if len(c.aliases) > 0 {
		fmt.Fprintf(&b, "\nAlso: %s\n", strings.Join(slices.Sorted(slices.Values(c.aliases)), ", "))
	}
	return b.String()
}

func (s *shell) quit(context.Context, *choices, []string) error { return errQuit }
