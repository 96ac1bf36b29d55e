package keys

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The methods of RFC 4252 and RFC 4256 that are supported.
const (
	publicKey   = "publickey"
	password    = "password"
	interactive = "keyboard-interactive"
)

// A Chain is methods that must succeed one after the other, as an element of
// AuthenticationMethods in sshd_config(5).
type Chain []string

// ParseChain parses "publickey,keyboard-interactive" and the like.
func ParseChain(text string) (Chain, error) {
	chain := Chain(strings.Split(text, ","))
	for i, method := range chain {
		if method != publicKey && method != password && method != interactive {
			return nil, fmt.Errorf("%q is not a method; they are %s, %s and %s", method, publicKey, password, interactive)
		}
		if slices.Contains(chain[:i], method) {
			return nil, fmt.Errorf("%q has %s twice", text, method)
		}
	}
	return chain, nil
}

func (c Chain) String() string { return strings.Join(c, ",") }

// usualMethods are the methods of an account that does not set them: with what it
// has. If it has one-time codes, they are always asked for.
func (a Account) usualMethods(certificates bool) (usual []Chain) {
	hasKeys := a.AuthorizedKeys != nil || certificates
	switch {
	case a.TOTPSecret != "":
		if hasKeys {
			usual = append(usual, Chain{publicKey, interactive})
		}
		if a.PasswordHash != "" {
			usual = append(usual, Chain{interactive})
		}
	default:
		if hasKeys {
			usual = append(usual, Chain{publicKey})
		}
		if a.PasswordHash != "" {
			usual = append(usual, Chain{password}, Chain{interactive})
		}
	}
	return usual
}

// check refuses methods that could never succeed, and a code as the only proof:
// there are only a million codes.
func (a Account) check(chain Chain, certificates bool) error {
	for i, method := range chain {
		switch {
		case method == publicKey && a.AuthorizedKeys == nil && !certificates:
			return fmt.Errorf("%q is among them, but it has no keys", chain)
		case method == password && a.PasswordHash == "":
			return fmt.Errorf("%q is among them, but it has no password_hash", chain)
		case method == interactive && a.PasswordHash == "" && a.TOTPSecret == "":
			return fmt.Errorf("%q is among them, but it has no password_hash and no totp_secret", chain)
		case method == interactive && a.PasswordHash == "" && i == 0:
			return fmt.Errorf("%q is among them, but a code alone is not enough; put publickey before it", chain)
		}
	}
	return nil
}

// next are the methods that may follow those that have succeeded. done tells that
// nothing needs to follow.
func (a Account) next(succeeded []string) (methods []string, done bool) {
	for _, chain := range a.Methods {
		if len(chain) < len(succeeded) || !slices.Equal(chain[:len(succeeded)], succeeded) {
			continue
		}
		if len(chain) == len(succeeded) {
			return nil, true
		}
		if m := chain[len(succeeded)]; !slices.Contains(methods, m) {
			methods = append(methods, m)
		}
	}
	return methods, false
}

// firstMethods are all methods that any account begins with. Every client is told
// the same list: what an account has is nobody's business before the login.
func (a *Accounts) firstMethods() []string {
	var first []string
	if a.o.KeyFiles != "" {
		first = append(first, publicKey)
	}
	for _, name := range a.names {
		for _, chain := range a.byName[name].Methods {
			if !slices.Contains(first, chain[0]) {
				first = append(first, chain[0])
			}
		}
	}
	return first
}

// errNotNow refuses a method that the account does not have at this point.
var errNotNow = errors.New("the account does not have this method at this point")
