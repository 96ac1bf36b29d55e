package keys

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// An Account is one who may log in.
type Account struct {
	Name           string
	AuthorizedKeys *AuthorizedKeys
}

// Accounts are all who may log in. It is safe for concurrent use.
type Accounts struct {
	byName map[string]Account
	decoy  Account // stands in for accounts that do not exist
	now    func() time.Time
}

// NewAccounts makes the set of accounts; there must be at least one, and each
// needs a name of its own and a way to log in.
func NewAccounts(accounts ...Account) (*Accounts, error) {
	if len(accounts) == 0 {
		return nil, errors.New("there is no account, so nobody could log in")
	}
	a := &Accounts{byName: make(map[string]Account, len(accounts)), decoy: accounts[0], now: time.Now}
	for _, account := range accounts {
		if account.Name == "" {
			return nil, errors.New("an account has no name")
		}
		if account.AuthorizedKeys == nil {
			return nil, fmt.Errorf("account %q has no keys, so nobody could log in to it", account.Name)
		}
		if _, twice := a.byName[account.Name]; twice {
			return nil, fmt.Errorf("account %q is there twice", account.Name)
		}
		a.byName[account.Name] = account
	}
	return a, nil
}

// matchedKey is where the lines that list an offered key wait for its proof.
type matchedKey struct{}

// PublicKey says whether a key that a client offers may log in to the account
// it names. The client has not proven yet that it has the key: what restricts
// the key is judged by [Accounts.VerifiedPublicKey], when it has.
//
// An account that does not exist takes the same path as one that does, over
// another account's keys, and ends in the same answer.
func (a *Accounts) PublicKey(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	account, exists := a.byName[conn.User()]
	if !exists {
		account = a.decoy
	}
	lines, err := account.AuthorizedKeys.read()
	matched := matching(lines, key)
	fingerprint := ssh.FingerprintSHA256(key)
	switch {
	case !exists:
		return nil, fmt.Errorf("no account %q (key %s)", conn.User(), fingerprint)
	case err != nil:
		return nil, fmt.Errorf("account %q: %w", conn.User(), err)
	case len(matched) == 0:
		return nil, fmt.Errorf("account %q: key %s is not authorized", conn.User(), fingerprint)
	}
	p := permissions(Identity{Account: account.Name, Method: "publickey", Fingerprint: fingerprint})
	p.ExtraData[matchedKey{}] = matched
	if waivesTouch(matched) {
		p.Extensions = map[string]string{noTouchRequired: ""}
	}
	return p, nil
}

// VerifiedPublicKey judges, once the client has proven that it has the key,
// whether what the key's line says is met here and now. p is what
// [Accounts.PublicKey] returned for this key. The person who holds the key may
// read why it is refused.
func (a *Accounts) VerifiedPublicKey(conn ssh.ConnMetadata, _ ssh.PublicKey, p *ssh.Permissions, _ string) (*ssh.Permissions, error) {
	id, ok := IdentityOf(p)
	if !ok || id.Account != conn.User() {
		return nil, errors.New("a key was proven that was not offered for this account")
	}
	matched, _ := p.ExtraData[matchedKey{}].([]authorizedKey)
	err := errors.New("the key is not authorized")
	for _, k := range matched {
		if err = k.usable(conn.RemoteAddr(), a.now()); err == nil {
			return permissions(id), nil
		}
	}
	return nil, &ssh.BannerError{
		Err:     fmt.Errorf("account %q: key %s: %w", id.Account, id.Fingerprint, err),
		Message: "Login refused: " + err.Error() + ".\n",
	}
}

// matching finds the lines that list a key. Every line is compared, and whole,
// so that the time taken does not tell how close an offered key came.
func matching(lines []authorizedKey, key ssh.PublicKey) []authorizedKey {
	offered := key.Marshal()
	var matched []authorizedKey
	for _, line := range lines {
		if subtle.ConstantTimeCompare(line.key.Marshal(), offered) == 1 {
			matched = append(matched, line)
		}
	}
	return matched
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
