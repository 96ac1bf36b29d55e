package operate

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
	"shelf/vfs"
)

func whoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "who",
		Short: "List who is connected, and what they transfer",
		Long: "List the connections that are logged in, the oldest first, and below each the files\n" +
			"that it reads or writes. The rate of a file is that since its beginning; with\n" +
			"--watch it is that of the last moment.",
		Args: arguments.None,
	}
	watch := c.Flags().BoolP("watch", "w", false, "go on until Ctrl-C, and show what changes")
	return asking(c, func(c *call) error {
		if *watch {
			return c.watch(2 * time.Second)
		}
		all, err := c.connections(c.Context())
		if err != nil {
			return err
		}
		return c.show(all, func(out io.Writer) { showConnections(out, all, nil) })
	})
}

func (c *client) connections(ctx context.Context) (all []admin.Connection, err error) {
	return all, c.get(ctx, "connections", &all)
}

// showConnections has rates, by the keys of transfers, or else those from the
// beginning.
func showConnections(out io.Writer, all []admin.Connection, rates map[string]float64) {
	if len(all) == 0 {
		fmt.Fprintln(out, "Nobody is connected.")
		return
	}
	table(out, "CONN\tACCOUNT\tFROM\tFOR\tCLIENT\tKEY", func(line func(string, ...any)) {
		for _, c := range all {
			line("%s\t%s\t%s\t%s\t%s\t%s", vfs.Escape(c.ID), vfs.Escape(c.Account), vfs.Escape(c.Source), lasting(time.Since(c.Since)),
				vfs.Escape(strings.TrimPrefix(c.Client, "SSH-2.0-")), provenBy(c))
			for _, t := range c.Transfers {
				rate, ok := rates[keyOf(c, t)]
				if !ok {
					rate = t.Rate
				}
				line("  %s\t%s\t%s\t%s/s\t\t", t.Direction, vfs.Escape(t.Name), progress(t), size(int64(rate)))
			}
		}
	})
}

// provenBy is the key of a connection, or how else it was proven who it is.
func provenBy(c admin.Connection) string {
	if c.Key == "" {
		return "(" + vfs.Escape(c.Method) + ")"
	}
	if c.Certificate != "" {
		return c.Key + " (certificate " + vfs.Escape(c.Certificate) + ")"
	}
	return c.Key
}

// progress is how far a transfer is.
func progress(t admin.Transfer) string {
	if t.Size == nil || *t.Size <= 0 {
		return size(t.Bytes)
	}
	return fmt.Sprintf("%s of %s (%d%%)", size(t.Bytes), size(*t.Size), 100*min(t.Bytes, *t.Size) / *t.Size)
}

// keyOf tells a transfer from others.
func keyOf(c admin.Connection, t admin.Transfer) string {
	return fmt.Sprint(c.ID, t.Direction, t.Since.UnixNano())
}
