package keys

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// certified is a certificate of an authority that is trusted. It is restricted by
// what is in it, and by the line of authorized_keys that trusts the authority.
type certified struct {
	cert       *ssh.Certificate
	principals []string       // the certificate must be for one of these
	line       *authorizedKey // nil for an authority of trusted_user_ca_keys
}

// certified are the reasons for which a certificate may be used: one for each
// authority that is trusted for the account and has signed it. lines are those of
// the account's file with that authority.
func (a *Accounts) certified(who subject, lines []authorizedKey, cert *ssh.Certificate) (granted []grant) {
	var by []certified
	trusted, err := readKeys(a.o.TrustedUserCAKeys)
	if err != nil {
		a.o.Log.Error("no certificate is trusted", "file", a.o.TrustedUserCAKeys, "reason", err)
	}
	for _, key := range trusted {
		if sameKey(key, cert.SignatureKey) {
			by = append(by, certified{cert: cert, principals: who.Principals})
		}
	}
	for _, line := range lines {
		by = append(by, certified{cert: cert, principals: line.certPrincipals(who.Name), line: &line})
	}
	if len(by) == 0 || checkSigned(cert) != nil {
		return nil
	}
	for _, c := range by {
		granted = append(granted, c)
	}
	return granted
}

// certPrincipals are the names that this line allows in a certificate.
func (k authorizedKey) certPrincipals(account string) []string {
	if k.principals != nil {
		return k.principals
	}
	return []string{account}
}

// checkSigned is nil for a user certificate with a strong key and a strong
// signature.
func checkSigned(cert *ssh.Certificate) error {
	if cert.CertType != ssh.UserCert {
		return errors.New("it is not a certificate for a user")
	}
	if err := errors.Join(checkKey(cert.Key), checkKey(cert.SignatureKey)); err != nil {
		return err
	}
	if !slices.Contains(UserAlgorithms(), cert.Signature.Format) {
		return fmt.Errorf("signatures of type %s are not accepted", cert.Signature.Format)
	}
	// The checker also checks principals, times and options. It is given values
	// that pass, since usable checks these later and says why.
	checker := ssh.CertChecker{SupportedCriticalOptions: criticalOptions(cert), Clock: validNow(cert)}
	principal := ""
	if len(cert.ValidPrincipals) > 0 {
		principal = cert.ValidPrincipals[0]
	}
	return checker.CheckCert(principal, cert)
}

func criticalOptions(cert *ssh.Certificate) (names []string) {
	for name := range cert.CriticalOptions {
		names = append(names, name)
	}
	return names
}

func validNow(cert *ssh.Certificate) func() time.Time {
	return func() time.Time { return time.Unix(int64(min(cert.ValidAfter, math.MaxInt64)), 0) }
}

// usable is nil if the certificate may be used from this address now.
func (c certified) usable(from net.Addr, now time.Time) error {
	if c.line != nil {
		if err := c.line.usable(from, now); err != nil {
			return err
		}
	}
	if err := c.valid(now); err != nil {
		return err
	}
	if !slices.ContainsFunc(c.cert.ValidPrincipals, func(p string) bool { return slices.Contains(c.principals, p) }) {
		return errors.New("your certificate is not for this account")
	}
	return c.options(from)
}

func (c certified) valid(now time.Time) error {
	second := uint64(max(now.Unix(), 0))
	if second < c.cert.ValidAfter {
		return fmt.Errorf("your certificate is not valid before %s", certTime(c.cert.ValidAfter).UTC().Format(timeFormat))
	}
	if c.cert.ValidBefore != ssh.CertTimeInfinity && second >= c.cert.ValidBefore {
		return expired("your certificate", certTime(c.cert.ValidBefore))
	}
	return nil
}

func certTime(second uint64) time.Time {
	return time.Unix(int64(min(second, math.MaxInt32*100)), 0)
}

// until is when the certificate, or the line that trusts its authority, ends.
func (c certified) until() (end time.Time) {
	if c.cert.ValidBefore != ssh.CertTimeInfinity {
		end = certTime(c.cert.ValidBefore)
	}
	if c.line != nil && !c.line.expires.IsZero() && (end.IsZero() || c.line.expires.Before(end)) {
		end = c.line.expires
	}
	return end
}

// sftpOnly tells whether the certificate, or the line that trusts its authority,
// forces internal-sftp.
func (c certified) sftpOnly() bool {
	_, forced := c.cert.CriticalOptions[forceCommand]
	return forced || c.line != nil && c.line.forcedSFTP
}

// forceCommand is the critical option that names the one command to run.
const forceCommand = "force-command"

// options checks the critical options (PROTOCOL.certkeys). One that is not known
// forbids the certificate.
func (c certified) options(from net.Addr) error {
	for name, value := range c.cert.CriticalOptions {
		switch {
		case name == "source-address":
			sources, err := ParseSources(strings.Split(value, ","))
			if err != nil || !sources.allow(from) {
				return errors.New("your certificate may not be used from your address")
			}
		case name == forceCommand && value == internalSFTP:
		default:
			return fmt.Errorf("your certificate has the option %q, which is not supported", name)
		}
	}
	return nil
}
