package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// help is the table as text.
func help() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-22s%s\n", c.usage, c.summary)
	}
	return b.String()
}

func (s *shell) help(_ context.Context, _ *choices, args []string) error { return s.showHelp(args...) }

// showHelp is help about all, or about some commands.
func (s *shell) showHelp(words ...string) error {
	if len(words) == 0 && s.json {
		words = commandWords()
	}
	if len(words) == 0 {
		fmt.Fprint(s.out, help())
	}
	for _, word := range words {
		c, err := find(word)
		if err != nil {
			return err
		}
		s.event(helpEvent{"help", c.name, c.usage, c.summary, c.help()})
		if !s.json {
			fmt.Fprint(s.out, c.help())
		}
	}
	return nil
}

// helpEvent is a command as scripts see it.
type helpEvent struct {
	Event   string `json:"event"` // help
	Name    string `json:"name"`
	Usage   string `json:"usage"`
	Summary string `json:"summary"`
	Text    string `json:"text"`
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

func (s *shell) quit(_ context.Context, _ *choices, args []string) error {
	if len(args) > 0 {
		return usageErrorf("quit takes no words")
	}
	return errQuit
}

// helpCommand is help without a server.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Say what a command does",
		RunE: func(c *cobra.Command, args []string) error {
			if sub, rest, err := c.Root().Find(args); err == nil && len(rest) == 0 {
				return sub.Help()
			}
			for _, word := range args {
				cmd, err := find(word)
				if err != nil {
					return err
				}
				fmt.Fprint(c.OutOrStdout(), cmd.help())
			}
			return nil
		},
	}
}
