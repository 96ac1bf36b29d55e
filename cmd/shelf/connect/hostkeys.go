package connect

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

// hosts is the host keys that are trusted.
type hosts struct {
	*person
	db      *knownhosts.HostKeyDB
	file    string // for new keys; "" for none
	newKeys string // ask, accept or refuse
	learns  bool   // whether further keys that the host announces are added

	// Set once the host is trusted.
	host    string
	addr    net.Addr
	trusted ssh.PublicKey // its key, or its certificate
	plain   ssh.PublicKey // its key; nil if it is trusted for its certificate
}

func openHosts(who *person, to target) (*hosts, error) {
	var files []string
	for _, f := range to.knownHosts {
		if _, err := os.Stat(f); err == nil {
			files = append(files, f)
		}
	}
	db, err := knownhosts.NewDB(files...)
	if err != nil {
		return nil, &Error{Untrusted, fmt.Errorf("cannot read the files of host keys: %w", err)}
	}
	return &hosts{person: who, db: db, file: to.newHosts, newKeys: to.newKeys, learns: to.learns}, nil
}

// keys is the known keys of a host, and whether some authority is trusted to sign
// certificates for it.
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

// algorithms is which kinds of keys a host is asked for, in the order of ssh: a
// certificate, but only if some authority is trusted to sign it; then the kinds of
// its known keys; then all others, so that check sees the key and can say what is
// wrong. A new host is asked for Ed25519 first, whose fingerprint people compare.
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

// plainAlgorithms is the kinds without certificates. Very old servers have only the
// last one.
func plainAlgorithms() []string {
	return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
}

// check is the ssh.HostKeyCallback. A known key is accepted, a changed one never is,
// and the person is asked about an unknown one, which is then recorded.
func (h *hosts) check(host string, addr net.Addr, key ssh.PublicKey) error {
	if h.trusted != nil && sameKey(h.trusted, key) {
		return nil // the same key again, at a key exchange during the connection
	}
	if err := h.judge(host, addr, key); err != nil {
		return &Error{Untrusted, err}
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
		// Like ssh, go on with the key alone.
		h.Detailf("shelf: the certificate of %s is not valid: %v", host, err)
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

// ofHost refuses the key of an authority, which x/crypto accepts as the key of a
// host.
func (h *hosts) ofHost(host string, key ssh.PublicKey) error {
	if plain, certified := h.keys(host); certified && !hasKey(plain, key) {
		return fmt.Errorf("the host %s has a key that is trusted only to sign certificates", host)
	}
	return nil
}

// revoked tells whether an error of the check means that the key is revoked.
func (h *hosts) revoked(host string, key ssh.PublicKey, err error) error {
	line := (*xknownhosts.RevokedError)(nil)
	if !errors.As(err, &line) {
		return nil
	}
	return fmt.Errorf("the key of %s, %s, is REVOKED by line %d of %s: somebody may have stolen it",
		host, ssh.FingerprintSHA256(key), line.Revoked.Line, line.Revoked.Filename)
}

// changed tells whether the host has another key than the known ones.
func (h *hosts) changed(host string, key ssh.PublicKey, known []xknownhosts.KnownKey) error {
	plain, _ := h.keys(host)
	for _, k := range known {
		if hasKey(plain, k.Key) {
			return fmt.Errorf("the key of %s has CHANGED; it was %s and is now %s: somebody may intercept the connection. "+
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

// decide decides about an unknown key.
func (h *hosts) decide(host string, key ssh.PublicKey) error {
	switch h.newKeys {
	case "accept":
		return nil
	case "refuse":
		return fmt.Errorf("the host key of %s, %s, is not known, and StrictHostKeyChecking forbids to accept it",
			host, ssh.FingerprintSHA256(key))
	}
	return h.confirm(host, key)
}

// confirm asks the person whether an unknown key is the right one.
func (h *hosts) confirm(host string, key ssh.PublicKey) error {
	print := ssh.FingerprintSHA256(key)
	answer, err := "", errNobody
	if h.Person() {
		answer, err = h.ask(false, "The host key of %s is not known: %s %s\nIs it the right one? (yes, no, or the fingerprint to compare) ",
			host, key.Type(), print)
	}
	if err != nil {
		return fmt.Errorf("the host key of %s, %s, is not known, and %w; connect once from a terminal, or use --accept-new",
			host, print, err)
	}
	if answer = strings.TrimSpace(answer); answer != "yes" && answer != print {
		return fmt.Errorf("the host key of %s is not trusted", host)
	}
	return nil
}

// record adds a key to the person's file, for the name of the host. Its address is
// not recorded, since it may belong to another host tomorrow. If the key cannot be
// recorded the person is asked again the next time.
func (h *hosts) record(host string, key ssh.PublicKey) {
	if h.file == "" {
		return
	}
	if err := h.append([]byte(knownhosts.Line([]string{host}, key) + "\n")); err != nil {
		h.Warnf("shelf: the key of %s is not recorded: %v", host, err)
	} else {
		h.Notef("The key of %s is now in %s.", host, h.file)
	}
}

// append adds lines to the person's file with a single write, since others may do
// the same. The last line of the file may lack its newline.
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
