package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/sshd"
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
	all := newServer(s, newLog(stderr, s.LogFormat, s.LogLevel.Level), stderr)
	if err := all.open(); err != nil {
		return err
	}
	defer all.close()
	all.audit.own(audit.OpStart, nil)
	defer all.audit.own(audit.OpStop, nil)
	announce(s, all.listener.Addr(), all.hostKeys.current.Current, stdout)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go all.watch(watching, hangups)
	return serveUntil(ctx, all.connections.ssh, all.listener.Listener, s.Grace.Duration, all.log)
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
		err := s.hangUp()
		s.audit.report(audit.ByOperator(audit.OpReload, "SIGHUP", err))
		if err != nil {
			s.log.Error("the configuration was not reloaded; the old one stays", "reason", err)
			continue
		}
		s.log.Info("the configuration was reloaded")
	}
}

// hangUp is what SIGHUP asks for. The audit log is opened anew whatever is
// wrong with the settings: who renames it must not wait for them.
func (s *server) hangUp() error {
	if err := s.audit.file.Reopen(); err != nil {
		return err
	}
	return s.reload()
}

// serveUntil serves until ctx ends or the listener fails, then stops within
// grace. Cutting off transfers that take longer is not an error.
func serveUntil(ctx context.Context, server *sshd.Server, l net.Listener, grace time.Duration, log *slog.Logger) error {
	all, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- server.Serve(all, l) }()
	var failed error
	select {
	case failed = <-served:
	case <-ctx.Done():
		log.Info("stopping", "grace", grace)
	}
	limit, cancelLimit := context.WithTimeoutCause(all, grace, fmt.Errorf("the grace time of %s is over", grace))
	defer cancelLimit()
	if err := server.Shutdown(limit); err != nil {
		log.Warn("transfers were cut off", "reason", err)
	}
	return failed
}
