package deliver

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/logging"
	"shelf/cmd/shelfd/notify"
)

// asked is what the command line says.
type asked struct {
	logs, only, enable []string
	replay             uint64
	once               bool
}

// Command is shelfd deliver. Receivers are told the agent, which is the name and version
// of the program.
func Command(agent string) *cobra.Command {
	var a asked
	c := &cobra.Command{
		Use:   "deliver",
		Short: "Tell others what happened, by webhooks and commands",
		Long: "Read the audit log while it grows, and send the events in it to the receivers of\n" +
			"the configuration, [[deliver]]: to URLs as signed webhooks, or to commands. It is a\n" +
			"process of its own; the server need not run and is not disturbed.\n\n" +
			"Each event arrives at least once, and those about one file in their order. What could\n" +
			"not be delivered is tried again. A receiver that is new is told of what happens from\n" +
			"now on. SIGHUP has the configuration read again.",
		Example: "  shelfd deliver --config /etc/shelf/shelfd.toml --state /var/lib/shelf-deliver\n" +
			"  shelfd deliver --config /etc/shelf/shelfd.toml --only invoices --replay 417 --once",
		Args: arguments.None,
		RunE: func(c *cobra.Command, _ []string) error { return deliver(c, agent, a) },
	}
	config.AddFlags(c.Flags(), "state", "log_format", "log_level")
	f := c.Flags()
	f.StringArrayVar(&a.logs, "audit-log", nil, "read this audit log `file`, and not the one of the configuration; several times, or a pattern as '/var/log/shelf/audit*.jsonl', for several servers")
	f.StringSliceVar(&a.only, "only", nil, "deliver to these `receivers` alone")
	f.StringSliceVar(&a.enable, "enable", nil, "turn these `receivers` on again that wanted no more")
	f.Uint64Var(&a.replay, "replay", 0, "deliver again from the line of this `number` on, which is seq in the audit log")
	f.BoolVar(&a.once, "once", false, "deliver what can be delivered now, and end; status 1 if something is left")
	c.AddCommand(statusCommand())
	return c
}

// folderOf is the folder of journals below the state folder.
func folderOf(s config.Settings) string { return filepath.Join(s.State, "deliver") }

// poll is how often the audit log is looked at.
const poll = 250 * time.Millisecond

// deliver is the command.
func deliver(c *cobra.Command, agent string, a asked) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	s, err := config.Load(c.Flags())
	if err != nil {
		return err
	}
	held, err := lock(folderOf(s))
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	defer held.Close()
	manager, err := notify.Connect(os.Getenv)
	if err != nil {
		return err
	}
	defer manager.Close()
	r := round{asked: a, agent: agent, hangups: hangups, manager: manager, first: true}
	for now := (&reloaded{Settings: s}); now != nil && err == nil; r = r.next() {
		r.log = logging.New(c.ErrOrStderr(), now.LogFormat, now.LogLevel.Level)
		now, err = r.run(c.Context(), now)
	}
	return err
}

// listen listens where metrics are answered; without an address on this machine alone.
func listen(address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.Listen("tcp", net.JoinHostPort(host, port))
}
