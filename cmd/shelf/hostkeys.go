package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// hosts is the file of host keys that are trusted.
type hosts struct {
	db        *knownhosts.HostKeyDB
	file      string
	acceptNew bool
	err       io.Writer
}

func openHosts(o options, err io.Writer) (*hosts, error) {
	h := &hosts{file: o.knownHosts, acceptNew: o.acceptNew, err: err}
	if h.file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("no home folder to find known_hosts in: %w; name a file with --known-hosts", err)
		}
		h.file = filepath.Join(home, ".ssh", "known_hosts")
	}
	var files []string
	if _, err := os.Stat(h.file); err == nil {
		files = []string{h.file}
	}
	var dbErr error
	if h.db, dbErr = knownhosts.NewDB(files...); dbErr != nil {
		return nil, fmt.Errorf("the file of host keys %s: %w", h.file, dbErr)
	}
	return h, nil
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
	if !h.acceptNew {
		if err := h.ask(host, key); err != nil {
			return &exitError{exitHostKey, err}
		}
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
	return fmt.Errorf("the key of %s, %s, is not trusted: %w", host, print, err)
}

func (h *hosts) ask(host string, key ssh.PublicKey) error {
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
	fmt.Fprintf(h.err, "The key of %s is in %s from now on.\n", host, h.file)
	return nil
}
