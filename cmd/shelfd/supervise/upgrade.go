package supervise

import (
	"errors"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
)

func upgradeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "upgrade",
		Short: "Have the installed version take over from the server that runs",
		Long: "Start a server of the program that is installed now, beside the one that runs and on\n" +
			"the same socket, and wait until it is healthy. Then the old one takes no more\n" +
			"connections and ends after its transfers: no client is refused or cut. If the new one\n" +
			"is not healthy it ends, the old one goes on, and the status is 1.\n\n" +
			"The server must run under \"shelfd supervise\", or as an instance of the unit shelfd@.",
		Args: arguments.None,
	}
	config.AddFlags(c.Flags(), "state", "admin_socket")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := config.Load(c.Flags())
		if err != nil {
			return err
		}
		said, err := upgrade(c, s)
		if said != "" {
			fmt.Fprintln(c.OutOrStdout(), said)
		}
		return err
	}
	return c
}

// upgrade asks the supervisor of the state folder, or does it with systemd if there is
// none.
func upgrade(c *cobra.Command, s config.Settings) (said string, err error) {
	control := controlSocket(s)
	conn, unreached := admin.Dial(c.Context(), control)
	if unreached == nil {
		conn.Close()
		var done upgraded
		if err := ask(c.Context(), control, "POST", "upgrade", &done); err != nil {
			return "", err
		}
		return fmt.Sprintf("Process %d serves now, after %.2f s; the old one ends after its transfers.", done.PID, done.Took), nil
	}
	name, err := upgradeUnits(c.Context(), s.AdminSocket)
	if errors.Is(err, errNoUnits) || errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("nothing to upgrade: no supervisor answers at %s (%w), and no unit shelfd@ of systemd runs\n"+
			"  Start the server with \"shelfd supervise\", or with the units shelfd.socket and shelfd@blue; --state or --config name another one", control, unreached)
	}
	if name != "" {
		said = fmt.Sprintf("%s serves now; the old one ends after its transfers.", name)
	}
	return said, err
}
