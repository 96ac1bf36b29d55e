package operate

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
)

func bansCommand() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "bans",
		Short: "List the sources that are turned away",
		Long:  "List the addresses and networks that are turned away after failed logins, and for\nhow long: see per_source_penalties.",
		Args:  arguments.None,
	}, func(c *call) error {
		var all []admin.Ban
		if err := c.get(c.Context(), "bans", &all); err != nil {
			return err
		}
		return c.show(all, func(out io.Writer) {
			if len(all) == 0 {
				fmt.Fprintln(out, "Nobody is turned away.")
				return
			}
			table(out, "SOURCE\tFOR", func(line func(string, ...any)) {
				for _, b := range all {
					line("%s\t%s", b.Source, lasting(time.Until(b.Until)))
				}
			})
		})
	})
}

func unbanCommand() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "unban SOURCE",
		Short: "Let a source connect again",
		Long:  "Forget the failed logins of an address or a network, and of all that lie in it.",
		Args:  arguments.One("an address or a network, as 192.0.2.7 or 192.0.2.0/24"),
	}, func(c *call) error {
		var gone []admin.Ban
		if err := c.post(c.Context(), "unban", map[string]string{"source": c.args[0]}, &gone); err != nil {
			return err
		}
		return c.show(gone, func(out io.Writer) {
			if len(gone) == 0 {
				fmt.Fprintln(out, "None of them was turned away; their failed logins are forgotten.")
			}
			for _, b := range gone {
				fmt.Fprintf(out, "not turned away any more: %s\n", b.Source)
			}
		})
	})
}
