package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// hosts are the host keys that are trusted.
type hosts struct {
	*ui
	db      *knownhosts.HostKeyDB
	file    string // where new ones go
	newKeys string // ask, accept or refuse
	pause   func() (resume func())
}

func openHosts(u *ui, to target, pause func() func()) (*hosts, error) {
	var files []string
	for _, f := range to.knownHosts {
		if _, err := os.Stat(f); err == nil {
			files = append(files, f)
		}
	}
	db, err := knownhosts.NewDB(files...)
	if err != nil {
		return nil, &exitError{exitHostKey, fmt.Errorf("the files of host keys: %w", err)}
	}
	return &hosts{ui: u, db: db, file: to.knownHosts[0], newKeys: to.newKeys, pause: pause}, nil
}

// algorithms asks a known host for a key of a kind that is known.
func (h *hosts) algorithms(addr string) []string { return h.db.HostKeyAlgorithms(addr) }

// check is the ssh.HostKeyCallback: a known key passes, a changed one never
// does, an unknown one is asked about and recorded.
func (h *hosts) check(host string, addr net.Addr, key ssh.PublicKey) error {
	err := h.db.HostKeyCallback()(host, addr, key)
	if err == nil {
		return nil
	}
	if !knownhosts.IsHostUnknown(err) {
		return &exitError{exitHostKey, h.untrusted(host, key, err)}
	}
	if err := h.decide(host, key); err != nil {
		return &exitError{exitHostKey, err}
	}
	if err := h.record(host, addr, key); err != nil {
		return &exitError{exitHostKey, fmt.Errorf("record the host key: %w", err)}
	}
	return nil
}

// untrusted says what is wrong with a key that must not be accepted.
func (h *hosts) untrusted(host string, key ssh.PublicKey, err error) error {
	print := ssh.FingerprintSHA256(key)
	if changed := (*xknownhosts.KeyError)(nil); errors.As(err, &changed) && len(changed.Want) > 0 {
		return fmt.Errorf("the key of %s has CHANGED; it is now %s: somebody may stand in between. "+
			"If you know that the server has a new key, remove line %d of %s",
			host, print, changed.Want[0].Line, changed.Want[0].Filename)
	}
	if revoked := (*xknownhosts.RevokedError)(nil); errors.As(err, &revoked) {
		return fmt.Errorf("the key of %s, %s, is REVOKED by line %d of %s: somebody may have stolen it",
			host, print, revoked.Revoked.Line, revoked.Revoked.Filename)
	}
	return fmt.Errorf("the key of %s, %s, is not trusted: %w", host, print, err)
}

// decide is what is done about a key that is not known.
func (h *hosts) decide(host string, key ssh.PublicKey) error {
	switch h.newKeys {
	case "accept":
		return nil
	case "refuse":
		return fmt.Errorf("the host key of %s, %s, is not known, and StrictHostKeyChecking forbids to accept it",
			host, ssh.FingerprintSHA256(key))
	}
	return h.ask(host, key)
}

func (h *hosts) ask(host string, key ssh.PublicKey) error {
	defer h.pause()()
	question := fmt.Sprintf("The host key of %s is not known: %s %s\nIs it the right one? (yes/no) ",
		host, key.Type(), ssh.FingerprintSHA256(key))
	answer, err := askLine(question)
	if err != nil {
		return fmt.Errorf("the host key of %s, %s, is not known, and %w; connect once from a terminal, or give --accept-new",
			host, ssh.FingerprintSHA256(key), err)
	}
	if strings.TrimSpace(answer) != "yes" {
		return fmt.Errorf("the host key of %s is not trusted", host)
	}
	return nil
}

func (h *hosts) record(host string, addr net.Addr, key ssh.PublicKey) error {
	if err := os.MkdirAll(filepath.Dir(h.file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(h.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(knownhosts.WriteKnownHost(f, host, addr, key), f.Close()); err != nil {
		return err
	}
	if !h.quiet && !h.json {
		h.warnf("The key of %s is in %s from now on.", host, h.file)
	}
	return nil
}
