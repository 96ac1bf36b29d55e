package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// A step is how far a login has come. It never changes: what a client has proven
// is kept in the callbacks of the next step and in [ssh.Permissions], where an
// offer cannot change it (CVE-2024-45337).
type step struct {
	accounts *Accounts
	ctx      context.Context // of the login
	admit    func(Identity) error
	proven   []string // methods that have succeeded
	id       Identity // that they have proven; empty before the first
}

// Callbacks are what a client may log in with, for one connection. When ctx
// ends, nothing waits any more.
//
// admit is asked once all is proven, and may still refuse, for example because
// there are too many sessions; nil is to refuse nobody. Its error, which it
// should make short, is told to the person.
func (a *Accounts) Callbacks(ctx context.Context, admit func(Identity) error) ssh.ServerAuthCallbacks {
	if admit == nil {
		admit = func(Identity) error { return nil }
	}
	return step{accounts: a, ctx: ctx, admit: admit}.callbacks(a.firstMethods())
}

// callbacks are the callbacks of some methods.
func (s step) callbacks(methods []string) (c ssh.ServerAuthCallbacks) {
	for _, method := range methods {
		switch method {
		case publicKey:
			c.PublicKeyCallback = s.publicKey
		case password:
			c.PasswordCallback = s.password
		case interactive:
			c.KeyboardInteractiveCallback = s.interactive
		}
	}
	return c
}

// begin finds the subject of a method that is tried now. The error says that the
// account does not exist, or does not have this method at this point. The caller
// goes on even then, so that the time it takes shows no difference.
func (s step) begin(user, method string) (subject, error) {
	who := s.accounts.find(user)
	next, _ := who.next(s.proven)
	switch {
	case !who.exists:
		return who, fmt.Errorf("no account %q", user)
	case len(s.proven) > 0 && s.id.Account != user:
		return who, errors.New("another account was proven before")
	case !slices.Contains(next, method):
		return who, fmt.Errorf("account %q: %s: %w", user, method, errNotNow)
	}
	return who, nil
}

// succeed ends a step: with a login, or with the methods that must follow. with is
// what the method adds to the identity.
func (s step) succeed(conn ssh.ConnMetadata, who subject, method string, with Identity) (*ssh.Permissions, error) {
	s.proven = append(slices.Clone(s.proven), method)
	s.id.Account, s.id.Method = who.Name, strings.Join(s.proven, ",")
	if with.Fingerprint != "" {
		s.id.Fingerprint, s.id.Certificate, s.id.SFTPOnly, s.id.key = with.Fingerprint, with.Certificate, with.SFTPOnly, with.key
	}
	if err := who.usable(conn.RemoteAddr(), s.accounts.now()); err != nil {
		return nil, refusal(fmt.Sprintf("account %q", who.Name), err)
	}
	next, done := who.next(s.proven)
	if !done {
		return nil, &ssh.PartialSuccessError{Next: s.callbacks(next)}
	}
	if err := s.admit(s.id); err != nil {
		return nil, refusal(fmt.Sprintf("account %q", who.Name), err)
	}
	return permissions(s.id), nil
}

// refusal is an error that is shown to the person too, who has proven something
// by now. what is refused stands in the log alone.
func refusal(what string, why error) error {
	return &ssh.BannerError{
		Err:     fmt.Errorf("%s: %w", what, why),
		Message: "Login refused: " + why.Error() + ".\n",
	}
}
