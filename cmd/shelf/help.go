package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// help is the table of commands as text.
func help() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-23s%s\n", c.usage, c.summary)
	}
	return b.String()
}

// showSomeHelp is the command help.
func showSomeHelp(_ context.Context, s *session, _ *flags, args []string) error {
	return s.showHelp(args...)
}

// showHelp prints help about some commands, or the table of commands.
func (s *session) showHelp(names ...string) error {
	if len(names) == 0 && s.ui.JSON {
		names = allCommands()
	}
	if len(names) == 0 {
		fmt.Fprint(s.ui.Out, help())
	}
	for _, name := range names {
		c, err := find(name)
		if err != nil {
			return err
		}
		s.ui.Event(helpEvent{"help", c.name, c.usage, c.summary, c.help()})
		if !s.ui.JSON {
			fmt.Fprint(s.ui.Out, c.help())
		}
	}
	return nil
}

// helpEvent is what scripts are told about a command.
type helpEvent struct {
	Event   string `json:"event"` // help
	Name    string `json:"name"`
	Usage   string `json:"usage"`
	Summary string `json:"summary"`
	Text    string `json:"text"`
}

// help is the help about one command.
func (c command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", c.usage, c.summary)
	if c.more != "" {
		fmt.Fprintf(&b, "\n%s\n", c.more)
	}
	if f := c.flagSet(&flags{}); f.HasFlags() {
		fmt.Fprintf(&b, "\n%s", f.FlagUsagesWrapped(80))
	}
	if len(c.aliases) > 0 {
		fmt.Fprintf(&b, "\nAlso: %s\n", strings.Join(slices.Sorted(slices.Values(c.aliases)), ", "))
	}
	return b.String()
}

// helpCommand is "shelf help", which needs no server.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Show the help about a command",
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
