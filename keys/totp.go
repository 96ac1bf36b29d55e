package keys

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"net"
	"strings"

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

var (
	errWrongCode = errors.New("wrong code")
	errUsedCode  = errors.New("the code, or a later one, was used before")
	// That a code is used could not be recorded.
	errNotRecorded = errors.New("the server cannot record that the code is used")
)

// useCode spends a code of an account, or says why it is not good. It waits
// first if wrong ones were given, but counts from when the client gave the code.
func (s step) useCode(a Account, code string, from net.Addr) error {
	given := s.accounts.now()
	used := s.accounts.o.UsedCodes
	wait, err := used.wait(a.Name, from, given)
	if err != nil {
		return err
	}
	if err := s.accounts.sleep(s.ctx, wait); err != nil {
		return err
	}
	return used.use(a, code, from, given)
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
