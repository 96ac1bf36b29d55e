package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
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
	learns  bool // further ones from the host

	host    string        // that was checked, once it is
	addr    net.Addr      // where it is
	trusted ssh.PublicKey // what it showed
	plain   ssh.PublicKey // the same; nil if it is trusted for its certificate
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
	return &hosts{ui: u, db: db, file: to.newHosts, newKeys: to.newKeys, learns: to.learns, pause: pause}, nil
}

// keys are those of a host that are known, and whether somebody is trusted to
// sign certificates for it.
func (h *hosts) keys(host string) (plain []ssh.PublicKey, certified bool) {
	for _, k := range h.db.HostKeys(host) {
		if k.Cert {
			certified = true
		} else {
			plain = append(plain, k.PublicKey)
		}
	}
	return plain, certified
}

// algorithms are what a host is asked to show, as ssh does: a certificate only
// if somebody is trusted to sign it, a key of a kind that is known, and then any
// other, so that the check sees it and can say what is wrong. Of a new host it
// is Ed25519 first, whose fingerprint people compare.
func (h *hosts) algorithms(host string) []string {
	plain := plainAlgorithms()
	known, certified := h.keys(host)
	order := func(algorithm string) int {
		for _, k := range known {
			if k.Type() == algorithm || k.Type() == ssh.KeyAlgoRSA && strings.HasPrefix(algorithm, "rsa-") {
				return 0
			}
		}
		return 1
	}
	slices.SortStableFunc(plain, func(a, b string) int { return order(a) - order(b) })
	if !certified {
		return plain
	}
	return append([]string{ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01}, plain...)
}

// plainAlgorithms are those without certificates. The last is all that very old
// servers have.
func plainAlgorithms() []string {
	return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
}

// check is the ssh.HostKeyCallback: a known key passes, a changed one never
// does, an unknown one is asked about and recorded.
func (h *hosts) check(host string, addr net.Addr, key ssh.PublicKey) error {
	if h.trusted != nil && sameKey(h.trusted, key) {
		return nil // again, since new keys are agreed on from time to time
	}
	if err := h.judge(host, addr, key); err != nil {
		return &exitError{exitHostKey, err}
	}
	h.host, h.addr, h.trusted = host, addr, key
	return nil
}

func (h *hosts) judge(host string, addr net.Addr, key ssh.PublicKey) error {
	known := h.db.HostKeyCallback()
	if cert, ok := key.(*ssh.Certificate); ok {
		if err := h.revoked(host, cert.SignatureKey, known(host, addr, cert.SignatureKey)); err != nil {
			return err
		}
		err := known(host, addr, cert)
		if err == nil {
			return nil
		}
		// Like ssh, we then look at the key alone.
		h.detailf("shelf: the certificate of %s does not count: %s", host, printable(err.Error()))
		key = cert.Key
	}
	h.plain = key
	err := known(host, addr, key)
	if err == nil {
		return h.ofHost(host, key)
	}
	if err := h.revoked(host, key, err); err != nil {
		return err
	}
	other := (*xknownhosts.KeyError)(nil)
	if !errors.As(err, &other) {
		return fmt.Errorf("the key of %s, %s, is not trusted: %w", host, ssh.FingerprintSHA256(key), err)
	}
	if err := h.changed(host, key, other.Want); err != nil {
		return err
	}
	if err := h.decide(host, key); err != nil {
		return err
	}
	h.record(host, key)
	return nil
}

// ofHost refuses an authority's key, which x/crypto takes for a host's, too.
func (h *hosts) ofHost(host string, key ssh.PublicKey) error {
	if plain, certified := h.keys(host); certified && !hasKey(plain, key) {
		return fmt.Errorf("the host %s shows a key that is trusted to sign certificates, and not to be a host's", host)
	}
	return nil
}

// revoked says so of a key, or of one that signed a certificate.
func (h *hosts) revoked(host string, key ssh.PublicKey, err error) error {
	line := (*xknownhosts.RevokedError)(nil)
	if !errors.As(err, &line) {
		return nil
	}
	return fmt.Errorf("the key of %s, %s, is REVOKED by line %d of %s: somebody may have stolen it",
		host, ssh.FingerprintSHA256(key), line.Revoked.Line, line.Revoked.Filename)
}

// changed says that a host has another key than the one that is known.
func (h *hosts) changed(host string, key ssh.PublicKey, known []xknownhosts.KnownKey) error {
	plain, _ := h.keys(host)
	for _, k := range known {
		if hasKey(plain, k.Key) {
			return fmt.Errorf("the key of %s has CHANGED; it was %s and is now %s: somebody may stand in between. "+
				"If you know that the server has a new key, remove line %d of %s: ssh-keygen -R '%s' -f '%s'",
				host, ssh.FingerprintSHA256(k.Key), ssh.FingerprintSHA256(key), k.Line, k.Filename, knownhosts.Normalize(host), k.Filename)
		}
	}
	return nil
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

func hasKey(all []ssh.PublicKey, key ssh.PublicKey) bool {
	return slices.ContainsFunc(all, func(k ssh.PublicKey) bool { return sameKey(k, key) })
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
	print := ssh.FingerprintSHA256(key)
	question := fmt.Sprintf("The host key of %s is not known: %s %s\nIs it the right one? (yes, no, or the fingerprint to compare) ",
		host, key.Type(), print)
	answer, err := "", errNoTerminal
	if h.person() {
		answer, err = askLine(question)
	}
	if err != nil {
		return fmt.Errorf("the host key of %s, %s, is not known, and %w; connect once from a terminal, or give --accept-new",
			host, print, err)
	}
	if answer = strings.TrimSpace(answer); answer != "yes" && answer != print {
		return fmt.Errorf("the host key of %s is not trusted", host)
	}
	return nil
}

// record keeps a key for the name alone: what is known of its address, which
// the name may have only today, is not ours to change. Where a key cannot be
// kept it is asked about again.
func (h *hosts) record(host string, key ssh.PublicKey) {
	if h.file == "" {
		return
	}
	if err := h.append([]byte(knownhosts.Line([]string{host}, key) + "\n")); err != nil {
		h.warnf("shelf: the key of %s is not recorded: %v", host, err)
	} else if !h.quiet && !h.json {
		h.warnf("The key of %s is in %s from now on.", host, h.file)
	}
}

// append adds lines to the person's file, at once, whoever else does. The last
// one that is there may lack its end.
func (h *hosts) append(lines []byte) error {
	if err := os.MkdirAll(filepath.Dir(h.file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(h.file, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	last := []byte{'\n'}
	if end, err := f.Seek(0, io.SeekEnd); err == nil && end > 0 {
		f.ReadAt(last, end-1)
	}
	if last[0] != '\n' {
		lines = append([]byte{'\n'}, lines...)
	}
	_, err = f.Write(lines)
	return errors.Join(err, f.Close())
}
