package keys

import (
	"errors"
	"fmt"
	"net"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/ssh"
)

// MaxHashing is how many passwords should be hashed at a time: see [Options]. Each
// takes 19 MiB, and any stranger can cause it.
const MaxHashing = 4

// maxPassword is the longest password, in bytes.
const maxPassword = 1024

// hashParams are those that OWASP recommends for argon2id: 19 MiB, two passes,
// one lane. A guess takes some ten milliseconds.
func hashParams() *argon2id.Params {
	return &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// HashPassword makes the argon2id hash of a password, in PHC's form.
func HashPassword(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("the password is empty")
	case len(text) > maxPassword:
		return "", fmt.Errorf("the password is longer than %d bytes", maxPassword)
	}
	return argon2id.CreateHash(text, hashParams())
}

// checkSecrets refuses a hash or secret with which no login could succeed, or any
// would: argon2id compares as many bytes as the hash has, even none.
func (a Account) checkSecrets() error {
	if a.PasswordHash != "" {
		p, _, _, err := argon2id.DecodeHash(a.PasswordHash)
		if err != nil {
			return &Fault{a.Name, "password_hash", errors.New("it is not an argon2id hash; make one with: shelfd passwd")}
		}
		if p.KeyLength < 16 || p.SaltLength < 8 || p.Iterations < 1 || p.Parallelism < 1 ||
			p.Memory < 8<<10 || p.Memory > 1<<20 || p.Iterations > 100 {
			return &Fault{a.Name, "password_hash", errors.New("its parameters are out of bounds; make another with: shelfd passwd")}
		}
	}
	if a.TOTPSecret == "" {
		return nil
	}
	if secret, err := decodeSecret(a.TOTPSecret); err != nil || len(secret) < minSecret {
		return &Fault{a.Name, "totp_secret", errors.New("it is not base32 of 16 bytes or more; make one with: shelfd totp " + a.Name)}
	}
	return nil
}

// password checks a password (RFC 4252 section 8).
func (s step) password(conn ssh.ConnMetadata, text []byte) (*ssh.Permissions, error) {
	who, wrong := s.begin(conn.User(), password)
	right, err := s.tryPassword(conn, who, text)
	switch {
	case err != nil:
		return nil, err
	case wrong != nil:
		return nil, wrong
	case !right:
		return nil, fmt.Errorf("account %q: wrong password", who.Name)
	}
	return s.succeed(conn, who, password, Identity{})
}

// tryPassword tells whether a password is right, after the time that the account
// asked for has to wait because of wrong ones. An account that does not exist has
// to wait as well.
func (s step) tryPassword(conn ssh.ConnMetadata, who subject, text []byte) (right bool, err error) {
	a, user := s.accounts, conn.User()
	if err := a.sleep(s.ctx, a.passwords.delay(a.now(), user)); err != nil {
		return false, err
	}
	end, err := a.o.Hashing(s.ctx, sourceOf(conn.RemoteAddr()))
	if err != nil {
		return false, err
	}
	right = a.checkPassword(who, text)
	if end(); !right {
		a.passwords.wrong(a.now(), user)
	}
	return right, nil
}

// checkPassword tells whether a password is the account's. An account that has
// none, or does not exist, takes as long as one that has.
func (a *Accounts) checkPassword(who subject, text []byte) bool {
	hash, has := who.PasswordHash, who.PasswordHash != "" && who.exists
	if hash == "" {
		if len(a.hashes) == 0 {
			return false
		}
		hash = a.hashes[a.pick(who.Name, len(a.hashes))]
	}
	if len(text) > maxPassword {
		return false
	}
	right, err := argon2id.ComparePasswordAndHash(string(text), hash)
	return right && err == nil && has
}

// sourceOf is the name of a source: an IPv4 address, or an IPv6 network of 64 bits.
func sourceOf(from net.Addr) string {
	address, _ := AddressOf(from)
	bits := 32
	if address.Is6() {
		bits = 64
	}
	source, _ := address.Prefix(bits)
	return source.String()
}
