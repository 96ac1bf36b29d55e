package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/logging"
	"shelf/cmd/shelfd/notify"
)

// Program is what the commands need of the program that they are a part of.
type Program struct {
	Agent string // its name and version, for receivers
}

// asked is what the command line says.
type asked struct {
	logs, only, enable []string
	replay             uint64
	once               bool
}

// Command is shelfd deliver.
func (p Program) Command() *cobra.Command {
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
		RunE: func(c *cobra.Command, _ []string) error { return p.deliver(c, a) },
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

// options are those of a run.
func (p Program) options(s config.Settings, a asked, log *slog.Logger) (Options, error) {
	o := Options{Folder: folderOf(s), Log: log, Once: a.once, Replay: a.replay, Poll: poll, Grace: s.Grace.Duration, Logs: a.logs}
	if len(o.Logs) == 0 && s.AuditLog != "" {
		o.Logs = []string{s.AuditLog}
	}
	switch {
	case len(o.Logs) == 0:
		return o, errors.New("there is no audit log to read; set audit_log in the configuration, or name one with --audit-log")
	case len(s.Deliver) == 0:
		return o, errors.New("nobody wants to be told of events; add a table [[deliver]] to the configuration")
	case o.Replay > 0 && (len(o.Logs) > 1 || IsPattern(o.Logs[0])):
		return o, errors.New("--replay is the number of a line in one log; say which with one --audit-log")
	}
	for i, path := range o.Logs {
		if _, err := filepath.Match(path, ""); err != nil {
			return o, fmt.Errorf("--audit-log: %q is no path and no pattern", path)
		}
		var err error
		if o.Logs[i], err = filepath.Abs(path); err != nil {
			return o, err
		}
	}
	all, wrong := Receivers(s, p.Agent)
	for _, one := range split(wrong) {
		log.Error("a receiver is left out", "reason", one)
	}
	for _, name := range append(slices.Clone(a.only), a.enable...) {
		if !slices.ContainsFunc(all, func(r Receiver) bool { return r.Name == name }) {
			return o, fmt.Errorf("there is no receiver %q", name)
		}
	}
	for _, r := range all {
		r.enable = slices.Contains(a.enable, r.Name)
		if len(a.only) == 0 || slices.Contains(a.only, r.Name) {
			o.Receivers = append(o.Receivers, r)
		}
	}
	if len(o.Receivers) == 0 {
		return o, errors.New("no receiver is left; correct the configuration")
	}
	return o, nil
}

// deliver is the command.
func (p Program) deliver(c *cobra.Command, a asked) error {
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
	now := &reloaded{Settings: s}
	for first := true; ; first = false {
		next, err := p.round(c.Context(), now, a, hangups, manager, logging.New(c.ErrOrStderr(), now.Settings.LogFormat, now.Settings.LogLevel.Level), first)
		if err != nil || next == nil {
			return err
		}
		now, a.replay, a.enable = next, 0, nil
	}
}

// reloaded is settings, and the listener that was opened for them; nil is that it is
// to be opened yet.
type reloaded struct {
	config.Settings
	metrics net.Listener
}

// listener is where metrics are answered; nil is nowhere.
func (r *reloaded) listener(a asked) (net.Listener, error) {
	if r.metrics != nil || r.DeliverListen == "" || a.once {
		return r.metrics, nil
	}
	l, err := listen(r.DeliverListen)
	if err != nil {
		return nil, fmt.Errorf("%sdeliver_listen: %w", r.Where("deliver_listen"), err)
	}
	return l, nil
}

// again are the settings after these. A new address must be free, or nothing is reloaded.
func (p Program) again(s config.Settings, a asked, log *slog.Logger) (*reloaded, error) {
	next, err := s.Again()
	if err != nil {
		return nil, err
	}
	if _, err := p.options(next, a, log); err != nil {
		return nil, err
	}
	r := &reloaded{Settings: next}
	if next.DeliverListen != s.DeliverListen { // the old one is in use by us until then
		r.metrics, err = r.listener(a)
	}
	return r, err
}

// round delivers with some settings, until the next count; nil is that it ends.
func (p Program) round(ctx context.Context, now *reloaded, a asked, hangups <-chan os.Signal, manager *notify.Manager, log *slog.Logger, first bool) (*reloaded, error) {
	s := now.Settings
	l, err := now.listener(a)
	switch {
	case err != nil && first:
		return nil, err
	case err != nil: // somebody was faster; events matter more
		log.Error("metrics are not answered", "reason", err)
	case l != nil:
		defer l.Close()
	}
	o, err := p.options(s, a, log)
	if err != nil {
		return nil, err
	}
	d, err := open(o)
	if err != nil {
		return nil, err
	}
	defer d.close()
	if l != nil {
		defer admin.Serve(l, handler(collector{d.workers}), log).Close()
		log.Info("metrics are answered", "address", l.Addr().String())
	}
	for _, r := range o.Receivers {
		log.Info("events are delivered", "receiver", r.Name, "public_key", r.Key)
	}
	manager.Ready()
	ctx, end := context.WithCancel(ctx)
	defer end()
	watched := make(chan *reloaded, 1)
	go p.watch(ctx, s, a, hangups, manager, log, func(next *reloaded) { watched <- next; end() })
	if err := d.run(ctx); err != nil {
		return nil, err
	}
	select {
	case next := <-watched:
		return next, nil
	default:
		return nil, nil
	}
}

// watch has the settings read again at each SIGHUP, and hands over those that are good.
// It tells the service manager that the process lives.
func (p Program) watch(ctx context.Context, s config.Settings, a asked, hangups <-chan os.Signal, manager *notify.Manager, log *slog.Logger, take func(*reloaded)) {
	every := 10 * time.Second
	if w := manager.Watchdog(); w > 0 {
		every = min(every, w/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		manager.Alive()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			continue
		case <-hangups:
		}
		manager.Reloading()
		a.replay, a.enable = 0, nil
		next, err := p.again(s, a, log)
		if err == nil {
			log.Info("the configuration was reloaded")
			take(next)
			return
		}
		log.Error("the configuration was not reloaded; the old one stays", "reason", err)
		manager.Ready()
	}
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
