package operate

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
	"shelf/vfs"
)

func kickCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "kick CONN|ACCOUNT",
		Short: "End a connection, or all connections of an account",
		Long: "End a connection, by the name that it has in shelfd who and in the log, or all\n" +
			"connections of an account. The person at the client is told, with the reason.\n" +
			"An upload that is being published is published first. An account may log in again:\n" +
			"to keep it out, change its table or take its key away, and reload.",
		Args: arguments.One("a connection or an account"),
	}
	reason := c.Flags().String("reason", "", "`text` for the person at the client, and for the audit log")
	return asking(c, func(c *call) error {
		var ended []admin.Connection
		if err := c.post(c.Context(), "kick", map[string]string{"who": c.args[0], "reason": *reason}, &ended); err != nil {
			return err
		}
		return c.show(ended, func(out io.Writer) {
			for _, e := range ended {
				fmt.Fprintf(out, "ended: %s of %s, from %s\n", vfs.Escape(e.ID), vfs.Escape(e.Account), vfs.Escape(e.Source))
			}
		})
	})
}
