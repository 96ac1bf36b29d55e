package keys

import (
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Attempt is a login that somebody asks about.
type Attempt struct {
	Account string
	Key     ssh.PublicKey // or a certificate; nil is to log in without a key
	From    net.Addr
}

// Finding is one thing that decides an attempt.
type Finding struct {
	Good    bool
	What    string // a sentence, without its full stop
	Where   string // the file and line that says so, or ""
	Setting string // the setting that says so, as "from" of the account; or ""
}

// Explain tells step by step what would be decided on an attempt now, by the same
// rules as a login. ok is that it would succeed, once what must be proven besides
// the key is proven.
func (a *Accounts) Explain(x Attempt) (steps []Finding, ok bool) {
	who := a.find(x.Account)
	if !who.exists {
		return []Finding{{What: a.nobody(x.Account), Setting: "accounts"}}, false
	}
	steps = append(steps, Finding{Good: true, What: fmt.Sprintf("%s is an account", x.Account), Where: a.madeBy(x.Account)})
	proven, ok := []string(nil), true
	if x.Key != nil {
		var found []Finding
		found, ok = a.explainKey(who, x)
		steps, proven = append(steps, found...), []string{publicKey}
	}
	for _, f := range who.explain(x.From, a.now()) {
		steps, ok = append(steps, f), ok && f.Good
	}
	next, done := who.next(proven)
	switch {
	case done:
		steps = append(steps, Finding{Good: true, What: "nothing more has to be proven", Setting: "authentication_methods"})
	case len(next) == 0:
		ok = false
		steps = append(steps, Finding{What: "it does not log in that way; it does by " + inWords(who.Methods), Setting: "authentication_methods"})
	default:
		steps = append(steps, Finding{Good: true, What: "to be proven then: " + strings.Join(next, " or "), Setting: "authentication_methods"})
	}
	return steps, ok
}

func inWords(all []Chain) string {
	var words []string
	for _, c := range all {
		words = append(words, c.String())
	}
	return strings.Join(words, ", or ")
}

// nobody says why a name is no account.
func (a *Accounts) nobody(name string) string {
	if a.o.KeyFiles != "" && NewAuthorizedKeys(ExpandUser(a.o.KeyFiles, name), a.o.Log).exists() {
		if err := CheckFileName(name); err != nil {
			return fmt.Sprintf("its key file makes no account: %v", err)
		}
		return "its key file makes no account, since its table is gone"
	}
	return fmt.Sprintf("there is no account %s", name)
}

// madeBy is the key file that makes an account, "" for an account of the settings.
func (a *Accounts) madeBy(name string) string {
	if _, ok := a.byName[name]; ok {
		return ""
	}
	return ExpandUser(a.o.KeyFiles, name)
}

// explain says when and where the account may log in.
func (a Account) explain(from net.Addr, now time.Time) (steps []Finding) {
	if !a.Expires.IsZero() {
		f := Finding{Good: true, What: "it ends on " + a.Expires.UTC().Format(timeFormat), Setting: "expires"}
		if err := (Account{Expires: a.Expires}).usable(from, now); err != nil {
			f.Good, f.What = false, err.Error()
		}
		steps = append(steps, f)
	}
	if a.From != nil {
		f := Finding{Good: true, What: "it may log in from this address", Setting: "from"}
		if err := (Account{From: a.From}).usable(from, now); err != nil {
			f.Good, f.What = false, "it may not log in from this address"
		}
		steps = append(steps, f)
	}
	return steps
}

// explainKey tells by which lines a key or certificate is granted, or why not.
func (a *Accounts) explainKey(who subject, x Attempt) (steps []Finding, ok bool) {
	if err := a.revoked(x.Key); err != nil {
		return []Finding{{What: err.Error(), Where: a.o.RevokedKeys, Setting: "revoked_keys"}}, false
	}
	lines, err := who.AuthorizedKeys.read()
	if err != nil {
		steps = append(steps, Finding{What: err.Error(), Setting: "authorized_keys_file"})
	}
	if cert, is := x.Key.(*ssh.Certificate); is {
		if err := checkSigned(cert); err != nil {
			return append(steps, Finding{What: err.Error()}), false
		}
	}
	granted, _ := a.grants(who, lines, x.Key)
	for _, g := range granted {
		f := a.explainGrant(who, g)
		if err := g.usable(x.From, a.now()); err != nil {
			f.Good, f.What = false, f.What+", but "+err.Error()
		}
		ok = ok || f.Good
		steps = append(steps, f)
	}
	if len(granted) == 0 {
		steps = append(steps, a.unlisted(who, x.Key))
	}
	return steps, ok
}

// explainGrant says what grants a key or certificate.
func (a *Accounts) explainGrant(who subject, g grant) Finding {
	f := Finding{Good: true}
	switch g := g.(type) {
	case authorizedKey:
		f.What = "the key " + ssh.FingerprintSHA256(g.key) + " is listed"
		f.Where, f.Setting = who.AuthorizedKeys.where(g)
	case certified:
		f.What = fmt.Sprintf("the authority %s of certificate %q is trusted", ssh.FingerprintSHA256(g.cert.SignatureKey), g.cert.KeyId)
		f.Where, f.Setting = a.o.TrustedUserCAKeys, "trusted_user_ca_keys"
		if g.line != nil {
			f.Where, f.Setting = who.AuthorizedKeys.where(*g.line)
		}
	}
	if g.sftpOnly() {
		f.What += ", for sftp and no command"
	}
	return f
}

// unlisted says why nothing grants a key.
func (a *Accounts) unlisted(who subject, key ssh.PublicKey) Finding {
	f := Finding{What: "the key " + ssh.FingerprintSHA256(key) + " is not listed", Setting: "authorized_keys_file"}
	if cert, is := key.(*ssh.Certificate); is {
		f.What = "the authority " + ssh.FingerprintSHA256(cert.SignatureKey) + " is not trusted"
		f.Setting = "trusted_user_ca_keys"
	}
	if who.AuthorizedKeys != nil {
		f.Where = who.AuthorizedKeys.path
	}
	return f
}

// where is the file and number of a line or, of one of the settings, the setting.
func (a *AuthorizedKeys) where(k authorizedKey) (file, setting string) {
	if k.number == 0 {
		return "", "authorized_keys"
	}
	return fmt.Sprintf("%s:%d", a.path, k.number), ""
}
