package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/logging"
)

func serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve a library",
		Long: "Serve the files of a directory to those who have a key.\n\n" +
			"Flags are enough; they win over the configuration file.",
		Args: arguments.None,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := config.Load(c.Flags())
			if err == nil {
				err = serve(c.Context(), s, c.OutOrStdout(), c.ErrOrStderr())
			}
			return lastWords(err, s.LogFormat, c.ErrOrStderr())
		},
	}
	config.AddFlags(c.Flags())
	return c
}

// serve runs a server until ctx ends, then waits for transfers to end.
func serve(ctx context.Context, s config.Settings, stdout, stderr io.Writer) error {
	hangups, ignore := catchHangups()
	defer ignore()
	all := newServer(s, logging.New(stderr, s.LogFormat, s.LogLevel.Level), stderr)
	if err := all.open(); err != nil {
		return err
	}
	defer all.close()
	all.audit.own(audit.OpStart, nil)
	defer func() { all.audit.own(audit.OpStop, all.audit.unlooked) }()
	announce(s, all.listener.Addr(), all.hostKeys.current.Current, stdout)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	defer all.recover(watching, stop)() // with the settings that the first reload may change
	go all.watch(watching, hangups)
	all.admin.answer()
	all.manager.Ready()
	return serveUntil(ctx, all, s.Grace.Duration)
}

// catchHangups receives SIGHUP from now on. Without it, SIGHUP would end the
// process.
func catchHangups() (hangups <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// watch reloads at each SIGHUP, until ctx ends.
func (s *server) watch(ctx context.Context, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		s.hangUp("SIGHUP")
	}
}

// hangUp is what SIGHUP asks for, or an operator: to read the settings again, and
// to tell everybody how that went.
func (s *server) hangUp(by string) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.manager.Reloading()
	defer s.manager.Ready()
	err := s.again()
	result := admin.Reload{Time: time.Now()}
	if err != nil {
		result.Error = err.Error()
	}
	s.lastReload.Store(&result)
	s.admin.metrics.Reloaded(err)
	s.audit.report(audit.ByOperator(audit.OpReload, by, err))
	if err != nil {
		s.log.Error("the configuration was not reloaded; the old one stays", "reason", err)
		return err
	}
	s.log.Info("the configuration was reloaded")
	return nil
}

// again reads the settings again. The audit log is opened anew whatever is wrong
// with them: who renames it must not wait for them.
func (s *server) again() error {
	if err := s.audit.file.Reopen(); err != nil {
		return err
	}
	return s.reload()
}

// serveUntil serves until ctx ends or the listener fails, then stops within
// grace. Cutting off transfers that take longer is not an error. When the server is
// drained it stops, too, and grace only counts once ctx ends.
func serveUntil(ctx context.Context, s *server, grace time.Duration) error {
	all, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- s.connections.ssh.Serve(all, s.listener.Listener) }()
	limit, over := context.WithCancelCause(all)
	defer over(nil)
	cut := func() {
		time.AfterFunc(grace, func() { over(fmt.Errorf("the grace time of %s is over", grace)) })
	}
	stop := func() {
		s.log.Info("stopping", "grace", grace)
		s.manager.Stopping(grace + 15*time.Second) // what is cut off takes a moment to end
		s.drain()                                  // who asks is told that it takes nobody more
		s.admin.giveWay()
		cut()
	}
	var failed error
	select {
	case failed = <-served:
		cut()
	case <-ctx.Done():
		stop()
	case <-s.drained.c:
		defer context.AfterFunc(ctx, stop)()
	}
	if err := s.connections.ssh.Shutdown(limit); err != nil {
		s.log.Warn("transfers were cut off", "reason", err)
	}
	return failed
}
