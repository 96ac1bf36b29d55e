package keys

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// offer is a key that was offered and would be accepted, once the client proves
// that it has it.
type offer struct {
	step  step
	who   subject
	lines []grant
}

// offerKey is the key of an offer in [ssh.Permissions.ExtraData].
type offerKey struct{}

// A grant is a reason why a key may be used, with its restrictions: a line of
// authorized_keys, or a trusted CA.
type grant interface {
	usable(from net.Addr, now time.Time) error
	until() time.Time // when it ends; zero is never
	sftpOnly() bool   // no command may be run
}

// publicKey decides whether a key that a client offers may log in to the account.
// The client has not proven yet that it has the key. When it has,
// [Accounts.Verified] checks the restrictions.
func (s step) publicKey(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	who, wrong := s.begin(conn.User(), publicKey)
	lines, err := who.AuthorizedKeys.read()
	granted, noTouch := s.accounts.grants(who, lines, key)
	fingerprint := ssh.FingerprintSHA256(key)
	switch {
	case wrong != nil:
		return nil, fmt.Errorf("%w (key %s)", wrong, fingerprint)
	case err != nil && len(granted) == 0:
		return nil, fmt.Errorf("account %q: %w", who.Name, err)
	case len(granted) == 0:
		return nil, fmt.Errorf("account %q: key %s is not authorized", who.Name, fingerprint)
	}
	p := &ssh.Permissions{ExtraData: map[any]any{offerKey{}: offer{s, who, granted}}}
	if noTouch {
		p.Extensions = map[string]string{noTouchRequired: ""}
	}
	return p, nil
}

// grants are the reasons for which a key, or a certificate, may be used.
func (a *Accounts) grants(who subject, lines *keyList, key ssh.PublicKey) (granted []grant, noTouch bool) {
	if cert, ok := key.(*ssh.Certificate); ok {
		return a.certified(who, lines.signing(cert.SignatureKey), cert), false
	}
	matched := lines.listing(key)
	for _, line := range matched {
		granted = append(granted, line)
	}
	return granted, len(matched) > 0 && waivesTouch(matched)
}

// Verified checks the restrictions of a key, once the client has proven that it
// has it. p is what the callback for public keys returned for this key. The person
// is shown why a key is refused.
func (a *Accounts) Verified(conn ssh.ConnMetadata, key ssh.PublicKey, p *ssh.Permissions, _ string) (*ssh.Permissions, error) {
	if p == nil {
		return nil, errors.New("a key was proven that was not offered")
	}
	o, ok := p.ExtraData[offerKey{}].(offer)
	if !ok || o.who.Name != conn.User() {
		return nil, errors.New("a key was proven that was not offered for this account")
	}
	var by grant
	err := a.revoked(key)
	if err == nil {
		by, err = anyUsable(o.lines, conn.RemoteAddr(), a.now())
	}
	if err != nil {
		return nil, refusal(fmt.Sprintf("account %q: key %s", o.who.Name, ssh.FingerprintSHA256(key)), err)
	}
	id := identityOfKey(key)
	id.SFTPOnly = by.sftpOnly()
	return o.step.succeed(conn, o.who, publicKey, id)
}

// anyUsable is the first of the grants that may be used, as sshd takes it, or the
// reason why none may.
func anyUsable(granted []grant, from net.Addr, now time.Time) (grant, error) {
	err := errors.New("the key is not authorized")
	for _, g := range granted {
		if err = g.usable(from, now); err == nil {
			return g, nil
		}
	}
	return nil, err
}

// identityOfKey is the part of an identity that comes from a key.
func identityOfKey(key ssh.PublicKey) Identity {
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return Identity{Fingerprint: ssh.FingerprintSHA256(key), key: &provenKey{key}}
	}
	return Identity{
		Fingerprint: ssh.FingerprintSHA256(cert.Key), key: &provenKey{cert},
		Certificate: &Certificate{cert.KeyId, cert.Serial, ssh.FingerprintSHA256(cert.SignatureKey)},
	}
}

func sameKey(a, b ssh.PublicKey) bool {
	return subtle.ConstantTimeCompare(a.Marshal(), b.Marshal()) == 1
}

// waivesTouch tells whether every line that lists the key waives the touch: a
// key listed twice must not get from one line what the other holds back.
func waivesTouch(matched []authorizedKey) bool {
	for _, k := range matched {
		if !k.noTouch {
			return false
		}
	}
	return true
}
