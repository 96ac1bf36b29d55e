package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"reflect"
	"syscall"

	"shelf/sshd"
)

// reloader has a running server go on with other settings.
type reloader struct {
	settings settings
	parts    parts
	server   *sshd.Server
}

// listenForHangups has SIGHUP mean to reload, which would else end the process.
func listenForHangups() (hangups <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// watch reloads at each hangup, until ctx ends.
func (r *reloader) watch(ctx context.Context, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		if err := r.reload(); err != nil {
			r.parts.log.Error("the configuration was not reloaded; the old one stays", "reason", err)
			continue
		}
		r.parts.log.Info("the configuration was reloaded")
	}
}

// reload reads accounts, keys, limits and host keys anew, for connections to
// come. On an error all stays as it is.
func (r *reloader) reload() error {
	if err := r.parts.audit.reopen(); err != nil {
		return err
	}
	next := r.settings
	if r.settings.reread != nil {
		var err error
		if next, err = r.settings.reread(); err != nil {
			return err
		}
	}
	if err := errors.Join(r.settings.checkSame(next), checkUser(next), checkApart(next)); err != nil {
		return err
	}
	parts := r.parts
	var err error
	if parts.accounts, err = next.openAccounts(parts.used, parts.log); err != nil {
		return err
	}
	if err := next.checkSomebody(parts.accounts.Entrances()); err != nil {
		return err
	}
	if parts.hostKeys, err = next.openHostKeys(); err != nil {
		return err
	}
	if err := r.server.Reload(parts.config(next)); err != nil {
		return err
	}
	r.settings, r.parts = next, parts
	return nil
}

// checkSame refuses what cannot change while the server runs.
func (s settings) checkSame(next settings) error {
	if s.Listen != next.Listen || s.State != next.State || s.AuditLog != next.AuditLog || s.Sandbox != next.Sandbox ||
		!reflect.DeepEqual(s.libraries(), next.libraries()) {
		return errors.New("listen, state, audit_log, sandbox and libraries change when the server is started again, not by a reload")
	}
	return nil
}
