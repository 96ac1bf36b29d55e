package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/notify"
)

// round delivers with the settings as they were read. When SIGHUP has them read again,
// the next round begins.
type round struct {
	asked
	agent   string
	hangups <-chan os.Signal
	manager *notify.Manager
	log     *slog.Logger
	first   bool
}

// next is the round after this one: what was to be done once is done.
func (r round) next() round {
	r.first, r.replay, r.enable = false, 0, nil
	return r
}

// options are those of a run.
func (r round) options(s config.Settings) (o Options, err error) {
	o = Options{Folder: folderOf(s), Log: r.log, Once: r.once, Replay: r.replay, Poll: poll, Grace: s.Grace.Duration}
	if o.Logs, err = r.paths(s); err != nil {
		return o, err
	}
	o.Receivers, err = r.receivers(s)
	return o, err
}

// paths are the logs that are read, or patterns of them.
func (r round) paths(s config.Settings) ([]string, error) {
	logs := slices.Clone(r.logs)
	if len(logs) == 0 && s.AuditLog != "" {
		logs = []string{s.AuditLog}
	}
	switch {
	case len(logs) == 0:
		return nil, errors.New("there is no audit log to read; set audit_log in the configuration, or name one with --audit-log")
	case len(s.Deliver) == 0:
		return nil, errors.New("nobody wants to be told of events; add a table [[deliver]] to the configuration")
	case r.replay > 0 && (len(logs) > 1 || IsPattern(logs[0])):
		return nil, errors.New("--replay is the number of a line in one log; say which with one --audit-log")
	}
	for i, path := range logs {
		if _, err := filepath.Match(path, ""); err != nil {
			return nil, fmt.Errorf("--audit-log: %q is no path and no pattern", path)
		}
		var err error
		if logs[i], err = filepath.Abs(path); err != nil {
			return nil, err
		}
	}
	return logs, nil
}

// receivers are those of the configuration that are asked for, and can be used.
func (r round) receivers(s config.Settings) (chosen []Receiver, err error) {
	all, wrong := Receivers(s, r.agent)
	for _, one := range split(wrong) {
		r.log.Error("a receiver is left out", "reason", one)
	}
	for _, name := range append(slices.Clone(r.only), r.enable...) {
		if !slices.ContainsFunc(all, func(one Receiver) bool { return one.Name == name }) {
			return nil, fmt.Errorf("there is no receiver %q", name)
		}
	}
	for _, one := range all {
		one.enable = slices.Contains(r.enable, one.Name)
		if len(r.only) == 0 || slices.Contains(r.only, one.Name) {
			chosen = append(chosen, one)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no receiver is left; correct the configuration")
	}
	return chosen, nil
}

// reloaded is settings, and the listener that was opened for them; nil is that it is
// to be opened yet.
type reloaded struct {
	config.Settings
	metrics net.Listener
}

// listener is where metrics are answered; nil is nowhere.
func (r *reloaded) listener(once bool) (net.Listener, error) {
	if r.metrics != nil || r.DeliverListen == "" || once {
		return r.metrics, nil
	}
	l, err := listen(r.DeliverListen)
	if err != nil {
		return nil, fmt.Errorf("%sdeliver_listen: %w", r.Where("deliver_listen"), err)
	}
	return l, nil
}

// again are the settings after these. A new address must be free, or nothing is reloaded.
func (r round) again(s config.Settings) (*reloaded, error) {
	next, err := s.Again()
	if err != nil {
		return nil, err
	}
	if _, err := r.options(next); err != nil {
		return nil, err
	}
	after := &reloaded{Settings: next}
	if next.DeliverListen != s.DeliverListen { // the old one is in use by us until then
		after.metrics, err = after.listener(r.once)
	}
	return after, err
}

// run delivers with some settings, until the next count; nil is that it ends.
func (r round) run(ctx context.Context, now *reloaded) (next *reloaded, err error) {
	l, err := now.listener(r.once)
	switch {
	case err != nil && r.first:
		return nil, err
	case err != nil: // somebody was faster; events matter more
		r.log.Error("metrics are not answered", "reason", err)
	case l != nil:
		defer l.Close()
	}
	o, err := r.options(now.Settings)
	if err != nil {
		return nil, err
	}
	d, err := open(o)
	if err != nil {
		return nil, err
	}
	defer d.close()
	if l != nil {
		defer admin.Serve(l, handler(collector{d.workers}), r.log).Close()
		r.log.Info("metrics are answered", "address", l.Addr().String())
	}
	for _, one := range o.Receivers {
		r.log.Info("events are delivered", "receiver", one.Name, "public_key", one.Key)
	}
	r.manager.Ready()
	ctx, end := context.WithCancel(ctx)
	defer end()
	watched := make(chan *reloaded, 1)
	go r.watch(ctx, now.Settings, func(next *reloaded) { watched <- next; end() })
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
func (r round) watch(ctx context.Context, s config.Settings, take func(*reloaded)) {
	every := 10 * time.Second
	if w := r.manager.Watchdog(); w > 0 {
		every = min(every, w/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r.manager.Alive()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			continue
		case <-r.hangups:
		}
		r.manager.Reloading()
		next, err := r.next().again(s)
		if err == nil {
			r.log.Info("the configuration was reloaded")
			take(next)
			return
		}
		r.log.Error("the configuration was not reloaded; the old one stays", "reason", err)
		r.manager.Ready()
	}
}
