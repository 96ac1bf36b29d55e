package operate

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
	"shelf/vfs"
)

// quarantineCommand is about what gates have refused and kept, or hold.
func quarantineCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "quarantine",
		Short: "List, release or drop what gates have refused, or hold",
		Long: "List, release or drop the files that a gate has refused and kept: see\n" +
			"libraries.NAME.gate.quarantine; and those that wait for their verdict: see\nlibraries.NAME.gate.mode.",
		Args: arguments.None,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	list := asking(&cobra.Command{
		Use: "list", Short: "List what is in quarantine", Args: arguments.None,
		Long: "List the files in quarantine, the oldest first: those that were refused, with the\n" +
			"reasons, and those that wait for their verdict, with why there is none yet.",
	}, func(c *call) error {
		var all []admin.Quarantined
		if err := c.get(c.Context(), "quarantine", &all); err != nil {
			return err
		}
		return c.show(all, func(out io.Writer) { showQuarantine(out, all) })
	})
	release := &cobra.Command{
		Use: "release ID", Short: "Publish a file that was refused, or waits", Args: arguments.One("an id, from shelfd quarantine list"),
		Long: "Publish a file under its name, as if the gate had accepted it, and take it out\n" +
			"of quarantine. A file that has the name meanwhile is not replaced without\n--replace.",
	}
	replace := release.Flags().Bool("replace", false, "replace the file that has the name")
	asking(release, func(c *call) error {
		var i admin.Quarantined
		if err := c.post(c.Context(), "quarantine/release", map[string]any{"id": c.args[0], "replace": *replace}, &i); err != nil {
			return err
		}
		return c.show(i, func(out io.Writer) { fmt.Fprintf(out, "published: %s in %s\n", vfs.Escape(i.Name), i.Library) })
	})
	drop := asking(&cobra.Command{
		Use: "drop ID", Short: "Remove a file from quarantine", Args: arguments.One("an id, from shelfd quarantine list"),
		Long: "Remove a file from quarantine for good.",
	}, func(c *call) error {
		var i admin.Quarantined
		if err := c.post(c.Context(), "quarantine/drop", map[string]string{"id": c.args[0]}, &i); err != nil {
			return err
		}
		return c.show(i, func(out io.Writer) {
			fmt.Fprintf(out, "dropped: %s of %s\n", vfs.Escape(i.Name), vfs.Escape(i.Account))
		})
	})
	c.AddCommand(list, release, drop)
	return c
}

func showQuarantine(out io.Writer, all []admin.Quarantined) {
	if len(all) == 0 {
		fmt.Fprintln(out, "Nothing is in quarantine.")
		return
	}
	table(out, "ID\tSTATE\tSINCE\tLIBRARY\tACCOUNT\tFILE\tSIZE\tREASON", func(line func(string, ...any)) {
		for _, i := range all {
			line("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", i.ID, i.State, day(i.Time), i.Library, vfs.Escape(i.Account), vfs.Escape(i.Name), size(i.Size), vfs.Escape(i.Reason))
		}
	})
}
