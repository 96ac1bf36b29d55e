package operate

import (
	"io"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
)

func reloadCommand() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "reload",
		Short: "Have the server read its configuration again",
		Long: "Have the server read its configuration, accounts and host keys again, and open its\n" +
			"audit log again, and wait for that. If something is wrong, it is printed, the\n" +
			"status is 1, and the server goes on as before.",
		Args: arguments.None,
	}, func(c *call) error {
		var r admin.Reload
		if err := c.post(c.Context(), "reload", struct{}{}, &r); err != nil {
			return err
		}
		return c.show(r, func(out io.Writer) { showReload(out, &r) })
	})
}
