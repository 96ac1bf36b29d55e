package operate

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
)

func drainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "drain",
		Short: "End the server when its transfers have ended",
		Long: "Have the server take no new connections, and end when nothing is read or written\n" +
			"any more, however long that takes. This waits for it; Ctrl-C ends the wait and not\n" +
			"the drain. To end the server sooner, stop it: then grace counts.",
		Args: arguments.None,
	}
	noWait := c.Flags().Bool("no-wait", false, "do not wait until the server has ended")
	return asking(c, func(c *call) error {
		var s admin.Status
		if err := c.post(c.Context(), "drain", struct{}{}, &s); err != nil {
			return err
		}
		if !*noWait {
			return c.awaitEnd(s)
		}
		return c.show(s, func(out io.Writer) { fmt.Fprintln(out, "draining:", underWay(s)) })
	})
}

// awaitEnd waits until the server answers no more.
func (c *call) awaitEnd(s admin.Status) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	said := ""
	for {
		if now := underWay(s); now != said && !c.json {
			fmt.Fprintln(c.OutOrStdout(), "draining:", now)
			said = now
		}
		select {
		case <-c.Context().Done():
			return errors.New("not waited for; the server goes on draining")
		case <-tick.C:
		}
		err := c.get(c.Context(), "status", &s)
		switch {
		case errors.Is(err, errUnreachable) && c.Context().Err() == nil:
			return c.show(s, func(out io.Writer) { fmt.Fprintln(out, "The server has ended.") })
		case err == nil && s.State != admin.Draining:
			return errors.New("another server has taken over the socket")
		}
	}
}

func underWay(s admin.Status) string {
	return plural(s.Transfers.Uploads, "upload") + " and " + plural(s.Transfers.Downloads, "download") + " under way"
}
