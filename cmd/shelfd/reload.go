package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"reflect"
	"slices"
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
	var all error
	for _, v := range []struct{ setting, was, is string }{
		{"listen", s.Listen, next.Listen},
		{"state", s.State, next.State},
		{"audit_log", s.AuditLog, next.AuditLog},
		{"sandbox", sandboxModes[s.Sandbox.mode], sandboxModes[next.Sandbox.mode]},
	} {
		if v.was != v.is {
			all = errors.Join(all, next.later(v.setting, v.setting+" is now "+cmp.Or(v.is, "not set")))
		}
	}
	return errors.Join(all, s.checkSameLibraries(next))
}

// checkSameLibraries refuses others than those that are open.
func (s settings) checkSameLibraries(next settings) (all error) {
	was, is := s.libraries(), next.libraries()
	for _, name := range slices.Sorted(maps.Keys(is)) {
		setting, l := next.pathSetting(name), is[name]
		switch before, ok := was[name]; {
		case !ok:
			all = errors.Join(all, next.later(setting, fmt.Sprintf("the library %q is new", name)))
		case before.Path != l.Path:
			all = errors.Join(all, next.later(setting, setting+" is now "+l.Path))
		case !reflect.DeepEqual(before, l):
			all = errors.Join(all, next.later(setting, fmt.Sprintf("how the library %q is kept has changed", name)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, ok := is[name]; !ok {
			all = errors.Join(all, next.later("libraries", fmt.Sprintf("the library %q is gone", name)))
		}
	}
	return all
}

// later says that a change must wait.
func (s settings) later(setting, change string) error {
	return fmt.Errorf("%s%s, which counts when the server is started again", s.places.where(setting), change)
}
