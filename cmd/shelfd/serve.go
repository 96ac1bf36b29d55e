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
	"golang.org/x/crypto/ssh"

	"shelf/keys"
	"shelf/sshd"
	"shelf/vfs"
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
		}
	})
	return s, errors.Join(err, s.complete())
}

// serve runs a server until ctx ends, and then lets transfers come to theirs.
func serve(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	log := newLog(stderr, s.LogFormat, s.LogLevel.Level)
	p, err := prepare(s, log)
	if err != nil {
		return err
	}
	defer p.library.Close()
	server, err := sshd.New(p.config(s, log))
	if err != nil {
		p.listener.Close()
		return err
	}
	fmt.Fprintln(stdout, announce(s, p.listener.Addr(), p.hostKey.PublicKey()))
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go newMemory(s.MemoryLimit.bytes, server.Connections).watch(watching)
	return serveUntil(ctx, server, p.listener, s.Grace.Duration, log)
}

// parts are what a server is put together from.
type parts struct {
	library  *vfs.Dir
	hostKey  ssh.Signer
	accounts *keys.Accounts
	listener net.Listener
}

// prepare checks and opens all that serving needs, the port last: who can
// connect is served.
func prepare(s settings, log *slog.Logger) (p parts, err error) {
	authorized := keys.NewAuthorizedKeys(s.AuthorizedKeysFile, log)
	if err := errors.Join(checkUser(s.User), checkApart(s), checkKeys(authorized)); err != nil {
		return p, err
	}
	if p.accounts, err = keys.NewAccounts(keys.Options{Accounts: []keys.Account{{Name: s.User, AuthorizedKeys: authorized}}, Log: log}); err != nil {
		return p, err
	}
	if p.library, err = openLibrary(s.Library, s.storage(log)); err != nil {
		return p, err
	}
	if p.hostKey, err = openHostKey(s.State); err == nil {
		p.listener, err = openListener(s.Listen)
	}
	if err != nil {
		p.library.Close()
	}
	return p, err
}

func (p parts) config(s settings, log *slog.Logger) sshd.Config {
	buffers := new(vfs.Buffers)
	return sshd.Config{
		HostKeys: []ssh.Signer{p.hostKey},
		Accounts: p.accounts,
		Limits:   s.limits(),
		Session: func(keys.Identity) (sshd.Service, error) {
			return sshd.Service{SessionOptions: vfs.SessionOptions{
				Library:      p.library,
				Permissions:  vfs.DefaultPermissions(),
				MaxOpenFiles: s.MaxOpenFiles.n,
				MaxFileSize:  s.MaxFileSize.bytes,
				Buffers:      buffers,
			}}, nil
		},
		Report: logEvent(log),
		Log:    log,
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
	limit, cancelLimit := context.WithTimeout(all, grace)
	defer cancelLimit()
	if err := server.Shutdown(limit); err != nil {
		log.Warn("transfers were cut off", "reason", err)
	}
	return failed
}
