package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
)

// healthWait is how long a server may take to say how it is.
const healthWait = 10 * time.Second

func healthCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "health",
		Short: "Tell whether the server can do its work, for probes",
		Long: "Ask the running server whether it can do its work: whether libraries and the state\n" +
			"folder can be written, there is room, events are recorded, and it is not draining.\n" +
			"The status is 0 or 1. With --live it is enough that it answers.",
		Args: arguments.None,
	}
	live := c.Flags().Bool("live", false, "ask only whether the server answers")
	return asking(c, func(c *call) error {
		ctx, cancel := context.WithTimeout(c.Context(), healthWait)
		defer cancel()
		if *live {
			var s admin.Status
			return c.get(ctx, "status", &s)
		}
		var r admin.Readiness
		if err := c.get(ctx, "ready", &r); err != nil {
			return err
		}
		err := c.show(r, func(out io.Writer) { fmt.Fprint(out, r) })
		if err == nil && !r.Ready {
			err = errors.New("the server is not ready")
		}
		return err
	})
}
