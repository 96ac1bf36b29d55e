package keys

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// noTouchRequired is the option, and its key in [ssh.Permissions.Extensions],
// where x/crypto looks for it.
const noTouchRequired = "no-touch-required"

// authorizedKey is a line of authorized_keys: a key and its restrictions.
type authorizedKey struct {
	key        ssh.PublicKey
	from       *Sources  // nil is anywhere
	expires    time.Time // zero is never
	noTouch    bool      // a security key need not prove that it was touched
	authority  bool      // certificates that the key has signed log in, not the key
	principals []string  // one of which they must be for; nil is the account's name
	forcedSFTP bool      // it runs SFTP, and no command
	number     int       // of the line in its file; 0 is of none
}

// internalSFTP is the one command that can be forced: sshd's name for the SFTP
// server in itself.
const internalSFTP = "internal-sftp"

func (k authorizedKey) sftpOnly() bool { return k.forcedSFTP }

func (k authorizedKey) until() time.Time { return k.expires }

// usable is nil if the key may be used from this address now. The error is shown
// to the person, who has proven to hold the key.
func (k authorizedKey) usable(from net.Addr, now time.Time) error {
	if k.from != nil && !k.from.allow(from) {
		return errors.New("this key may not be used from your address")
	}
	if !k.expires.IsZero() && !now.Before(k.expires) {
		return expired("this key", k.expires)
	}
	return nil
}

// parseLine parses a line that is neither empty nor a comment.
func parseLine(text string) (authorizedKey, error) {
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return authorizedKey{}, errors.New("it is not a public key, nor options with a public key")
	}
	if err := checkKey(key); err != nil {
		return authorizedKey{}, err
	}
	k := authorizedKey{key: key}
	for _, option := range options {
		if err := k.restrict(option); err != nil {
			return authorizedKey{}, err
		}
	}
	if k.principals != nil && !k.authority {
		return authorizedKey{}, errors.New("option principals is for lines with cert-authority")
	}
	return k, nil
}

// restrict applies one option. Their names are not case-sensitive (sshd(8)).
func (k *authorizedKey) restrict(option string) error {
	name, quoted, hasValue := strings.Cut(option, "=")
	name = strings.ToLower(name)
	set := map[string]func(string) error{
		"from": k.restrictFrom, "expiry-time": k.restrictExpiry, "principals": k.restrictPrincipals,
		"command": k.restrictCommand,
	}[name]
	switch {
	case set == nil && hasValue:
		return fmt.Errorf("option %q is not supported", name)
	case set == nil:
		return k.flag(name)
	case !hasValue:
		return fmt.Errorf("option %s has no value", name)
	}
	value, err := unquote(quoted)
	if err != nil {
		return fmt.Errorf("option %s: %w", name, err)
	}
	return set(value)
}

// flag applies an option without a value. Most are about things that this server
// does not have, so they change nothing.
func (k *authorizedKey) flag(name string) error {
	switch name {
	case noTouchRequired:
		k.noTouch = true
	case "cert-authority":
		k.authority = true
	case "restrict",
		"no-agent-forwarding", "no-port-forwarding", "no-pty", "no-user-rc", "no-x11-forwarding",
		"agent-forwarding", "port-forwarding", "pty", "user-rc", "x11-forwarding":
	default:
		return fmt.Errorf("option %q is not supported", name)
	}
	return nil
}

func (k *authorizedKey) restrictFrom(value string) (err error) {
	if k.from != nil {
		return errors.New("option from is given twice")
	}
	if k.from, err = ParseSources(strings.Split(value, ",")); err != nil {
		return fmt.Errorf("option from: %w", err)
	}
	return nil
}

func (k *authorizedKey) restrictPrincipals(value string) error {
	if k.principals != nil {
		return errors.New("option principals is given twice")
	}
	k.principals = strings.Split(value, ",")
	if slices.Contains(k.principals, "") {
		return errors.New("option principals has an empty name")
	}
	return nil
}

func (k *authorizedKey) restrictCommand(value string) error {
	if value != internalSFTP {
		return fmt.Errorf("option command is not supported, unless it is command=%q", internalSFTP)
	}
	k.forcedSFTP = true
	return nil
}

// restrictExpiry keeps the earliest of several times, as sshd does.
func (k *authorizedKey) restrictExpiry(value string) error {
	at, err := parseExpiry(value)
	if err != nil {
		return fmt.Errorf("option expiry-time: %w", err)
	}
	if k.expires.IsZero() || at.Before(k.expires) {
		k.expires = at
	}
	return nil
}

// parseExpiry parses the time of expiry-time=: YYYYMMDD, YYYYMMDDHHMM or
// YYYYMMDDHHMMSS in the server's time zone, or in UTC with a Z after it.
func parseExpiry(text string) (time.Time, error) {
	zone := time.Local
	digits, utc := strings.CutSuffix(text, "Z")
	if utc {
		zone = time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(digits) != len(layout) {
			continue
		}
		if at, err := time.ParseInLocation(layout, digits, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time, which is written YYYYMMDD[HHMM[SS]][Z]", text)
}

// unquote removes the double quotes around an option's value. Within it, \" is a
// quote, and any other backslash is a backslash.
func unquote(s string) (string, error) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", errors.New("its value is not in double quotes")
	}
	s = strings.ReplaceAll(s[1:len(s)-1], `\"`, "\x00")
	if strings.Contains(s, `"`) {
		return "", errors.New("its value has a quote in it")
	}
	return strings.ReplaceAll(s, "\x00", `"`), nil
}
