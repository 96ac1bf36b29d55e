package keys

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/alexedwards/argon2id"
	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
	"golang.org/x/crypto/bcrypt"
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

// passwordHash is the hash of a password.
type passwordHash interface{ is(password []byte) bool }

// parseHash reads a hash: argon2id, as [HashPassword] makes it, or what people
// bring from other servers, bcrypt and sha512-crypt. It refuses one with which no
// login could succeed, or any would, and one that takes a guess too long.
func parseHash(text string) (passwordHash, error) {
	switch {
	case strings.HasPrefix(text, "$argon2id$"):
		return parseArgon2id(text)
	case strings.HasPrefix(text, "$2a$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2y$"):
		return parseBcrypt(text)
	case strings.HasPrefix(text, "$6$"):
		return parseSHA512Crypt(text)
	}
	return nil, errors.New("it is not an argon2id hash, nor one of bcrypt ($2b$) or sha512-crypt ($6$); make one with: shelfd passwd")
}

var errHashBounds = errors.New("its parameters are out of bounds; make another with: shelfd passwd")

type argon2idHash string

func parseArgon2id(text string) (passwordHash, error) {
	p, _, _, err := argon2id.DecodeHash(text)
	if err != nil {
		return nil, errors.New("it is not an argon2id hash; make one with: shelfd passwd")
	}
	if p.KeyLength < 16 || p.SaltLength < 8 || p.Iterations < 1 || p.Parallelism < 1 ||
		p.Memory < 8<<10 || p.Memory > 1<<20 || p.Iterations > 100 {
		return nil, errHashBounds
	}
	return argon2idHash(text), nil
}

func (h argon2idHash) is(password []byte) bool {
	right, err := argon2id.ComparePasswordAndHash(string(password), string(h))
	return right && err == nil
}

type bcryptHash []byte

// maxBcryptCost is the highest cost of bcrypt: a guess takes about a second.
const maxBcryptCost = 14

func parseBcrypt(text string) (passwordHash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	switch {
	case err != nil || len(text) != 60:
		return nil, errors.New("it is not a bcrypt hash; make one with: shelfd passwd")
	case cost > maxBcryptCost:
		return nil, errHashBounds
	}
	return bcryptHash(text), nil
}

func (h bcryptHash) is(password []byte) bool {
	return bcrypt.CompareHashAndPassword(h, password) == nil
}

type sha512CryptHash struct{ algorithm.Digest }

// maxSHA512Rounds is the most rounds of sha512-crypt, of which 5000 are usual.
const maxSHA512Rounds = 500_000

func parseSHA512Crypt(text string) (passwordHash, error) {
	digest, err := shacrypt.DecodeVariant(shacrypt.VariantSHA512)(text)
	if err != nil || len(text)-strings.LastIndexByte(text, '$')-1 != 86 {
		return nil, errors.New("it is not a sha512-crypt hash; make one with: shelfd passwd")
	}
	if rounds, ok := strings.CutPrefix(text, "$6$rounds="); ok {
		rounds, _, _ = strings.Cut(rounds, "$")
		if n, err := strconv.Atoi(rounds); err != nil || n < 1000 || n > maxSHA512Rounds {
			return nil, errHashBounds
		}
	}
	return sha512CryptHash{digest}, nil
}

func (h sha512CryptHash) is(password []byte) bool { return h.MatchBytes(password) }

// checkSecrets refuses a hash or secret that is not good.
func (a Account) checkSecrets() error {
	if a.PasswordHash != "" {
		if _, err := parseHash(a.PasswordHash); err != nil {
			return &Fault{a.Name, "password_hash", err}
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
	parsed, err := parseHash(hash)
	return err == nil && parsed.is(text) && has
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
