package keys

import (
	"errors"
	"io/fs"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Loss is how a login that succeeded is not good any more.
type Loss int

const (
	Removed Loss = iota // the account is gone, or may not log in in that way or from there
	Revoked             // the key or certificate is revoked, or gone
	Expired             // the account, key or certificate has come to its end
)

// Lost is why the owner of an open connection may not log in any more.
type Lost struct {
	Loss Loss
	Err  error // for the person, who has proven to be the owner
}

// Judge looks at a login again that has succeeded: lost is nil as long as it would
// succeed now. until is when that may change by itself; zero is never. A file that
// can't be read for the moment changes nothing.
func (a *Accounts) Judge(id Identity, from net.Addr) (lost *Lost, until time.Time) {
	who, now := a.find(id.Account), a.now()
	if !who.exists {
		return &Lost{Removed, errors.New("this account does not exist any more")}, until
	}
	if err := who.usable(from, now); err != nil {
		return lostBy(err), until
	}
	if !slices.ContainsFunc(who.Methods, func(c Chain) bool { return strings.Join(c, ",") == id.Method }) {
		return &Lost{Removed, errors.New("this account has to log in in another way now")}, until
	}
	until = who.Expires
	if id.key == nil {
		return nil, until
	}
	granted, err := a.judgeKey(who, id.key.PublicKey, from, now)
	if err != nil {
		return lostBy(err), time.Time{}
	}
	for _, g := range granted {
		until = earlier(until, g.until(), now)
	}
	return nil, until
}

// Stands is nil as long as an account is there and has not come to its end, for what is
// done later in its name.
func (a *Accounts) Stands(name string) *Lost {
	who, now := a.find(name), a.now()
	switch {
	case !who.exists:
		return &Lost{Removed, errors.New("this account does not exist any more")}
	case !who.Expires.IsZero() && !now.Before(who.Expires):
		return &Lost{Expired, expired("this account", who.Expires)}
	}
	return nil
}

// judgeKey finds the reasons why a key or certificate may be used, or why it may
// not be used any more.
func (a *Accounts) judgeKey(who subject, key ssh.PublicKey, from net.Addr, now time.Time) ([]grant, error) {
	if err := a.revoked(key); errors.Is(err, errRevoked) {
		return nil, err
	}
	lines, err := who.AuthorizedKeys.read()
	granted, _ := a.grants(who, lines, key)
	switch {
	case len(granted) > 0:
		_, err := anyUsable(granted, from, now)
		return granted, err
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, nil
	}
	return nil, errWithdrawn
}

// errWithdrawn refuses a key that was good when it logged in.
var errWithdrawn = errors.New("this key may not log in any more")

// lostBy puts a refusal into a class.
func lostBy(err error) *Lost {
	var expired *expiredError
	switch {
	case errors.As(err, &expired):
		return &Lost{Expired, err}
	case errors.Is(err, errRevoked), errors.Is(err, errWithdrawn):
		return &Lost{Revoked, err}
	}
	return &Lost{Removed, err}
}

// expiredError is the refusal of what has come to its end.
type expiredError struct{ what string }

func (e *expiredError) Error() string { return e.what }

// expired says that something expired.
func expired(what string, at time.Time) error {
	return &expiredError{what + " expired on " + at.UTC().Format(timeFormat)}
}

// earlier is the first of two times that is yet to come; zero is never.
func earlier(a, b, now time.Time) time.Time {
	if b.IsZero() || !b.After(now) || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}
