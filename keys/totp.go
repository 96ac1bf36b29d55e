package keys

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// A code is good for codePeriod seconds (RFC 6238 section 5.2), and for one
// period before and after, since clocks differ.
const (
	codePeriod = 30
	codeSkew   = 1
)

// minSecret is the shortest secret of codes, in bytes (RFC 4226 section 4).
const minSecret = 16

// maxWrongCodes is how many wrong codes are allowed for an account in a period.
// Only who has given another proof before can use them up.
const maxWrongCodes = 10

var (
	errWrongCode = errors.New("wrong code")
	errUsedCode  = errors.New("this code or a later one was used before")
	errManyCodes = errors.New("too many wrong codes; wait half a minute")
)

// UsedCodes remembers the last code that each account has used, so that none
// can be used again (RFC 6238 section 5.2). It is safe for concurrent use.
type UsedCodes struct {
	mu    sync.Mutex
	last  map[string]uint64     // period of the last code, by account; mu
	wrong map[string]wrongCodes // by account; mu
}

type wrongCodes struct {
	period uint64
	count  int
}

// NewUsedCodes makes one that remembers nothing yet.
func NewUsedCodes() *UsedCodes {
	return &UsedCodes{last: make(map[string]uint64), wrong: make(map[string]wrongCodes)}
}

// use accepts a code once. The error says why it does not.
func (u *UsedCodes) use(a Account, code string, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	period := uint64(now.Unix()) / codePeriod
	wrong := u.wrong[a.Name]
	if wrong.period != period {
		wrong = wrongCodes{period: period}
	}
	if wrong.count >= maxWrongCodes {
		return errManyCodes
	}
	of, ok := periodOf(a.TOTPSecret, code, period)
	switch {
	case !ok:
		wrong.count++
		u.wrong[a.Name] = wrong
		return errWrongCode
	case of <= u.last[a.Name]:
		return errUsedCode
	}
	u.last[a.Name] = of
	return nil
}

// periodOf finds the period of a code. It tries all of them, so that the time does
// not show which it was.
func periodOf(secret, code string, now uint64) (found uint64, ok bool) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	for period := now - codeSkew; period <= now+codeSkew; period++ {
		want, err := hotp.GenerateCode(secret, period)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found, ok = period, true
		}
	}
	return found, ok
}

// decodeSecret decodes base32 as apps show it: in lower or upper case, with or
// without spaces and padding.
func decodeSecret(text string) ([]byte, error) {
	text = strings.TrimRight(strings.ToUpper(strings.ReplaceAll(text, " ", "")), "=")
	return base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
}

// GenerateTOTP makes a secret for an account. Apps show the issuer beside its name.
func GenerateTOTP(issuer, account string) (*otp.Key, error) {
	return totp.Generate(totp.GenerateOpts{
		Issuer: issuer, AccountName: account, SecretSize: 20, Rand: rand.Reader, Period: codePeriod,
	})
}
