package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shelf/keys"
	"shelf/sshd"
)

func serveCommand() *cobra.Command {
	flags := defaults()
	var config string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve a library",
		Long: "Serve the files of a directory to those who have a key.\n\n" +
			"Flags are enough; they win over the configuration file.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := settle(config, c.Flags())
			if err != nil {
				return err
			}
			return serve(c.Context(), s, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&config, "config", "", "read settings from this TOML `file`")
	flags.bind(c.Flags())
	return c
}

// settle makes the settings of the defaults, the configuration file and the
// flags that were given, each winning over the one before.
func settle(config string, given *pflag.FlagSet) (settings, error) {
	s := defaults()
	if config != "" {
		if err := s.loadConfig(config); err != nil {
			return s, err
		}
	}
	over := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.bind(over)
	var err error
	given.Visit(func(f *pflag.Flag) {
		if over.Lookup(f.Name) != nil {
			err = errors.Join(err, over.Set(f.Name, f.Value.String()))
			s.places.forget(f.Name)
		}
	})
	s.configFile = config
	s.reread = func() (settings, error) { return settle(config, given) }
	return s, errors.Join(err, s.complete())
}

// serve runs a server until ctx ends, and then lets transfers come to theirs.
func serve(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	log := newLog(stderr, s.LogFormat, s.LogLevel.Level)
	hangups, deaf := listenForHangups()
	defer deaf()
	p, err := prepare(s, log)
	if err != nil {
		return err
	}
	defer p.close()
	server, err := sshd.New(p.config(s))
	if err != nil {
		p.listener.Close()
		return err
	}
	if err := s.enclose(log); err != nil {
		p.listener.Close()
		return err
	}
	fmt.Fprintln(stdout, announce(s, p.listener.Addr(), p.hostKeys.Current))
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go newMemory(s.MemoryLimit.bytes).watch(watching)
	go newProcessors(server.Connections).watch(watching)
	go (&reloader{s, p, server}).watch(watching, hangups)
	return serveUntil(ctx, server, p.listener, s.Grace.Duration, log)
}

// parts are what a server is put together from.
type parts struct {
	libraries libraries
	hostKeys  keys.HostKeys
	used      *keys.UsedCodes
	accounts  *keys.Accounts
	audit     *auditLog // nil is to have events in the log
	listener  net.Listener
	log       *slog.Logger
}

// prepare checks and opens all that serving needs, the port last: who can
// connect is served.
func prepare(s settings, log *slog.Logger) (p parts, err error) {
	p.log = log
	if err := errors.Join(checkUser(s), checkApart(s)); err != nil {
		return p, err
	}
	if p.used, err = s.openUsedCodes(log); err != nil {
		return p, err
	}
	if p.accounts, err = s.openAccounts(p.used, log); err != nil {
		return p, err
	}
	if err := s.checkSomebody(p.accounts.Entrances()); err != nil {
		return p, err
	}
	if p.libraries, err = s.openLibraries(log); err != nil {
		return p, err
	}
	if p.hostKeys, err = s.openHostKeys(); err == nil {
		p.audit, err = s.openAuditLog()
	}
	if err == nil {
		p.listener, err = s.openListener()
	}
	if err != nil {
		p.close()
	}
	return p, err
}

// close closes all but the listener, which is the server's.
func (p parts) close() {
	p.libraries.close()
	p.audit.close()
}

func (p parts) config(s settings) sshd.Config {
	report := logEvent(p.log)
	if p.audit != nil {
		report = logEvent(newLog(p.audit, logFormat{json: true}, slog.LevelInfo))
	}
	return sshd.Config{
		HostKeys:     p.hostKeys.Current,
		NextHostKeys: p.hostKeys.Next,
		Accounts:     p.accounts,
		Limits:       s.limits(),
		Session:      s.services(p.libraries),
		Report:       report,
		Log:          p.log,
	}
}

// serveUntil serves until ctx ends or the listener fails, then stops within
// grace. To have cut off those who took longer is not a failure.
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
