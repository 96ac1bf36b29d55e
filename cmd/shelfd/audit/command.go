package audit

import (
	"fmt"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/arguments"
)

// Command is shelfd audit, with its commands.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Search the audit log, and check it",
		Long:  "Read files of the audit log. The server need not run, and is not disturbed.",
		Args:  arguments.None,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(whoCommand(), verifyCommand())
	return c
}

// someFiles refuses no argument at all.
func someFiles(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return arguments.Mistake{Err: fmt.Errorf("%s takes the files of an audit log", c.CommandPath()), Command: c}
}
