package keys

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Who is let in, by what, from where and when.
func TestVerdicts(t *testing.T) {
	key, other, authority, stranger := newKey(t), newKey(t), newKey(t), newKey(t)
	line := text(key.PublicKey())
	trust := `cert-authority ` + text(authority.PublicKey())
	networks, err := ParseSources([]string{"192.0.2.0/24", "!192.0.2.9"})
	if err != nil {
		t.Fatal(err)
	}
	offered := make(map[*ssh.AuthMethod]ssh.Signer) // where that is all
	keys := func(signers ...ssh.Signer) []ssh.AuthMethod {
		all := []ssh.AuthMethod{ssh.PublicKeys(signers...)}
		if _, lies := signers[0].(forger); len(signers) == 1 && !lies {
			offered[&all[0]] = signers[0]
		}
		return all
	}
	certified := func(edit func(*ssh.Certificate)) []ssh.AuthMethod { return keys(cert(t, key, authority, edit)) }
	type account = Account
	for name, test := range map[string]struct {
		account  account
		options  Options
		user     string // "ana" if it is empty
		from     string // home if it is empty
		auth     []ssh.AuthMethod
		want     string // in the reason; "" is that the login succeeds
		untold   bool   // the reason is for the log alone
		identity Identity
	}{
		"a key":                        {account: account{AuthorizedKeys: inline(t, line)}, auth: keys(key)},
		"another key":                  {account: account{AuthorizedKeys: inline(t, line)}, auth: keys(other), want: "not authorized", untold: true},
		"another account":              {account: account{AuthorizedKeys: inline(t, line)}, user: "bob", auth: keys(key), want: "no account", untold: true},
		"the key of others first":      {account: account{AuthorizedKeys: inline(t, line)}, auth: keys(other, stranger, key)},
		"one offered, another signs":   {account: account{AuthorizedKeys: inline(t, line)}, auth: keys(forger{key, other}), want: "ssh: ", untold: true},
		"from home":                    {account: account{AuthorizedKeys: inline(t, `from="192.0.2.0/24,!192.0.2.9" `+line)}, auth: keys(key)},
		"from a network denied":        {account: account{AuthorizedKeys: inline(t, `from="192.0.2.0/24,!192.0.2.1" `+line)}, auth: keys(key), want: "this key may not be used from your address"},
		"from away":                    {account: account{AuthorizedKeys: inline(t, `from="192.0.2.0/24" `+line)}, from: away, auth: keys(key), want: "this key may not be used from your address"},
		"a key that expired":           {account: account{AuthorizedKeys: inline(t, `expiry-time="20300601115959Z" `+line)}, auth: keys(key), want: "this key expired on 2030-06-01 11:59 UTC"},
		"a key that will expire":       {account: account{AuthorizedKeys: inline(t, `expiry-time="20300601120001Z" `+line)}, auth: keys(key)},
		"restricted":                   {account: account{AuthorizedKeys: inline(t, `restrict,no-pty,no-port-forwarding,pty `+line)}, auth: keys(key)},
		"an account that expired":      {account: account{AuthorizedKeys: inline(t, line), Expires: noon}, auth: keys(key), want: "this account expired on 2030-06-01 12:00 UTC"},
		"an account that will expire":  {account: account{AuthorizedKeys: inline(t, line), Expires: noon.Add(time.Second)}, auth: keys(key)},
		"an account away":              {account: account{AuthorizedKeys: inline(t, line), From: networks}, from: away, auth: keys(key), want: "this account may not log in from your address"},
		"an account at home":           {account: account{AuthorizedKeys: inline(t, line), From: networks}, auth: keys(key)},
		"expired, with another's key":  {account: account{AuthorizedKeys: inline(t, line), Expires: noon}, auth: keys(other), want: "not authorized", untold: true},
		"a key that is revoked":        {account: account{AuthorizedKeys: inline(t, line)}, options: Options{RevokedKeys: file(t, "# lost", line)}, auth: keys(key), want: "this key has been revoked"},
		"a fingerprint that is":        {account: account{AuthorizedKeys: inline(t, line)}, options: Options{RevokedKeys: file(t, ssh.FingerprintSHA256(key.PublicKey())+" lost")}, auth: keys(key), want: "revoked"},
		"another key is revoked":       {account: account{AuthorizedKeys: inline(t, line)}, options: Options{RevokedKeys: file(t, text(other.PublicKey()))}, auth: keys(key)},
		"the key of an authority":      {account: account{AuthorizedKeys: inline(t, trust)}, auth: keys(authority), want: "not authorized", untold: true},
		"the key of a certificate":     {account: account{AuthorizedKeys: inline(t, trust)}, auth: keys(key), want: "not authorized", untold: true},
		"a certificate, by a line":     {account: account{AuthorizedKeys: inline(t, trust)}, auth: certified(nil)},
		"a certificate, not by a line": {account: account{AuthorizedKeys: inline(t, line)}, auth: certified(nil), want: "not authorized", untold: true},
		"a certificate, trusted":       {options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))}, auth: certified(nil)},
		"a certificate of a stranger":  {options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))}, auth: keys(cert(t, key, stranger, nil)), want: "not authorized", untold: true},
		"a certificate, forged": {options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))},
			auth: keys(forgedCert(t, key, stranger, authority)), want: "not authorized", untold: true},
		"a certificate of a host": {options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))},
			auth: certified(func(c *ssh.Certificate) { c.CertType = ssh.HostCert }), want: "not authorized", untold: true},
		"a certificate that expired": {options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))},
			auth: certified(func(c *ssh.Certificate) { c.ValidBefore = uint64(noon.Unix()) }), want: "your certificate expired on 2030-06-01 12:00 UTC"},
		"a certificate of tomorrow": {options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))},
			auth: certified(func(c *ssh.Certificate) { c.ValidAfter = uint64(noon.Unix() + 1) }), want: "your certificate is not valid before"},
		"a certificate for ever": {options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))},
			auth: certified(func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = 0, ssh.CertTimeInfinity })},
		"a certificate for bob": {options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))},
			auth: certified(func(c *ssh.Certificate) { c.ValidPrincipals = []string{"bob"} }), want: "your certificate is not for this account"},
		"a certificate for nobody": {options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))},
			auth: certified(func(c *ssh.Certificate) { c.ValidPrincipals = nil }), want: "not authorized", untold: true},
		"a certificate for nobody, by a line": {account: account{AuthorizedKeys: inline(t, trust)},
			auth: certified(func(c *ssh.Certificate) { c.ValidPrincipals = nil }), want: "not authorized", untold: true},
		"a principal of the account": {account: account{Principals: []string{"staff"}}, options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))},
			auth: certified(func(c *ssh.Certificate) { c.ValidPrincipals = []string{"bob", "staff"} })},
		"not a principal of the account": {account: account{Principals: []string{"staff"}}, options: Options{TrustedUserCAKeys: file(t, text(authority.PublicKey()))},
			auth: certified(nil), want: "your certificate is not for this account"},
		"a principal of the line": {account: account{AuthorizedKeys: inline(t, `principals="staff,ops",`+trust)},
			auth: certified(func(c *ssh.Certificate) { c.ValidPrincipals = []string{"ops"} })},
		"not a principal of the line": {account: account{AuthorizedKeys: inline(t, `principals="staff,ops",`+trust)},
			auth: certified(nil), want: "your certificate is not for this account"},
		"a line from home, away": {account: account{AuthorizedKeys: inline(t, `from="192.0.2.0/24",`+trust)}, from: away,
			auth: certified(nil), want: "may not be used from your address"},
		"a certificate from home": {account: account{AuthorizedKeys: inline(t, trust)},
			auth: certified(func(c *ssh.Certificate) {
				c.CriticalOptions = map[string]string{"source-address": "192.0.2.0/24,10.0.0.1"}
			})},
		"a certificate from home, away": {account: account{AuthorizedKeys: inline(t, trust)}, from: away,
			auth: certified(func(c *ssh.Certificate) {
				c.CriticalOptions = map[string]string{"source-address": "192.0.2.0/24"}
			}), want: "your certificate may not be used from your address"},
		"a certificate from nowhere": {account: account{AuthorizedKeys: inline(t, trust)},
			auth: certified(func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"source-address": ""} }),
			want: "your certificate may not be used from your address"},
		"a certificate that forces a command": {account: account{AuthorizedKeys: inline(t, trust)},
			auth: certified(func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "/bin/sh"} }),
			want: `the option "force-command"`},
		"a certificate that forces sftp": {account: account{AuthorizedKeys: inline(t, trust)},
			auth: certified(func(c *ssh.Certificate) {
				c.CriticalOptions = map[string]string{"force-command": "internal-sftp"}
			})},
		"a certificate with an option": {account: account{AuthorizedKeys: inline(t, trust)},
			auth: certified(func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"wonder@example.com": ""} }),
			want: `the option "wonder@example.com"`},
		"a certificate of a key revoked": {account: account{AuthorizedKeys: inline(t, trust)}, options: Options{RevokedKeys: file(t, line)},
			auth: certified(nil), want: "revoked"},
		"a certificate of an authority revoked": {account: account{AuthorizedKeys: inline(t, trust)},
			options: Options{RevokedKeys: file(t, text(authority.PublicKey()))}, auth: certified(nil), want: "revoked"},
		"a password": {account: account{PasswordHash: hashOf(t, anasPassword)}, auth: []ssh.AuthMethod{ssh.Password(anasPassword)},
			identity: Identity{Account: "ana", Method: "password"}},
		"a wrong password": {account: account{PasswordHash: hashOf(t, anasPassword)}, auth: []ssh.AuthMethod{ssh.Password("wrong")},
			want: "wrong password", untold: true},
		"an empty password": {account: account{PasswordHash: hashOf(t, anasPassword)}, auth: []ssh.AuthMethod{ssh.Password("")},
			want: "wrong password", untold: true},
		"a password of a MiB": {account: account{PasswordHash: hashOf(t, anasPassword)}, auth: []ssh.AuthMethod{ssh.Password(strings.Repeat("x", 30000))},
			want: "wrong password", untold: true},
		"another's password": {account: account{PasswordHash: hashOf(t, anasPassword)}, user: "bob", auth: []ssh.AuthMethod{ssh.Password(anasPassword)},
			want: "no account", untold: true},
		"a password, expired": {account: account{PasswordHash: hashOf(t, anasPassword), Expires: noon}, auth: []ssh.AuthMethod{ssh.Password(anasPassword)},
			want: "this account expired"},
		"a wrong password, expired": {account: account{PasswordHash: hashOf(t, anasPassword), Expires: noon}, auth: []ssh.AuthMethod{ssh.Password("no")},
			want: "wrong password", untold: true},
		"a password at a prompt": {account: account{PasswordHash: hashOf(t, anasPassword)}, auth: []ssh.AuthMethod{answers(anasPassword)},
			identity: Identity{Account: "ana", Method: "keyboard-interactive"}},
		"a password where keys are wanted": {account: account{PasswordHash: hashOf(t, anasPassword), AuthorizedKeys: inline(t, line),
			Methods: chains(t, "publickey,password")}, auth: []ssh.AuthMethod{ssh.Password(anasPassword)}, want: "no auth", untold: true},
		"a key and a password": {account: account{PasswordHash: hashOf(t, anasPassword), AuthorizedKeys: inline(t, line),
			Methods: chains(t, "publickey,password")}, auth: []ssh.AuthMethod{ssh.PublicKeys(key), ssh.Password(anasPassword)},
			identity: Identity{Account: "ana", Method: "publickey,password", Fingerprint: ssh.FingerprintSHA256(key.PublicKey())}},
		"a key and a wrong password": {account: account{PasswordHash: hashOf(t, anasPassword), AuthorizedKeys: inline(t, line),
			Methods: chains(t, "publickey,password")}, auth: []ssh.AuthMethod{ssh.PublicKeys(key), ssh.Password("no")}, want: "wrong password", untold: true},
		"a key alone where both are wanted": {account: account{PasswordHash: hashOf(t, anasPassword), AuthorizedKeys: inline(t, line),
			Methods: chains(t, "publickey,password")}, auth: keys(key), want: "ssh: ", untold: true},
		"a password and a key": {account: account{PasswordHash: hashOf(t, anasPassword), AuthorizedKeys: inline(t, line),
			Methods: chains(t, "password,publickey")}, auth: []ssh.AuthMethod{ssh.Password(anasPassword), ssh.PublicKeys(key)}},
		"a password and another key": {account: account{PasswordHash: hashOf(t, anasPassword), AuthorizedKeys: inline(t, line),
			Methods: chains(t, "password,publickey")}, auth: []ssh.AuthMethod{ssh.Password(anasPassword), ssh.PublicKeys(other)}, want: "not authorized", untold: true},
		"either": {account: account{PasswordHash: hashOf(t, anasPassword), AuthorizedKeys: inline(t, line),
			Methods: chains(t, "publickey,password", "password")}, auth: []ssh.AuthMethod{ssh.Password(anasPassword)}},
		"a key and a code": {account: account{TOTPSecret: anasSecret, AuthorizedKeys: inline(t, line)},
			auth:     []ssh.AuthMethod{ssh.PublicKeys(key), answers(codeAt(t, noon))},
			identity: Identity{Account: "ana", Method: "publickey,keyboard-interactive", Fingerprint: ssh.FingerprintSHA256(key.PublicKey())}},
		"a key and a code of before": {account: account{TOTPSecret: anasSecret, AuthorizedKeys: inline(t, line)},
			auth: []ssh.AuthMethod{ssh.PublicKeys(key), answers(codeAt(t, noon.Add(-30*time.Second)))}},
		"a key and a code too old": {account: account{TOTPSecret: anasSecret, AuthorizedKeys: inline(t, line)},
			auth: []ssh.AuthMethod{ssh.PublicKeys(key), answers(codeAt(t, noon.Add(-60*time.Second)))}, want: "wrong code", untold: true},
		"a key and no code": {account: account{TOTPSecret: anasSecret, AuthorizedKeys: inline(t, line)},
			auth: []ssh.AuthMethod{ssh.PublicKeys(key), answers("")}, want: "wrong code", untold: true},
		"a key where a code is wanted too": {account: account{TOTPSecret: anasSecret, AuthorizedKeys: inline(t, line)},
			auth: keys(key), want: "ssh: ", untold: true},
		"a password and a code": {account: account{TOTPSecret: anasSecret, PasswordHash: hashOf(t, anasPassword)},
			auth: []ssh.AuthMethod{answers(anasPassword, codeAt(t, noon))}},
		"a wrong password and a code": {account: account{TOTPSecret: anasSecret, PasswordHash: hashOf(t, anasPassword)},
			auth: []ssh.AuthMethod{answers("no", codeAt(t, noon))}, want: "wrong password", untold: true},
		"a password and a wrong code": {account: account{TOTPSecret: anasSecret, PasswordHash: hashOf(t, anasPassword)},
			auth: []ssh.AuthMethod{answers(anasPassword, "000000")}, want: "wrong code", untold: true},
		"a password where a code is wanted too": {account: account{TOTPSecret: anasSecret, PasswordHash: hashOf(t, anasPassword)},
			auth: []ssh.AuthMethod{ssh.Password(anasPassword)}, want: "no auth", untold: true},
	} {
		t.Run(name, func(t *testing.T) {
			test.account.Name = "ana"
			test.options.Accounts = []Account{test.account}
			w := newWorld(t, test.options)
			o := w.login(t, or(test.from, home), or(test.user, "ana"), test.auth...)
			wantVerdict(t, o, test.want, test.untold)
			o.id.key = nil
			if test.identity != (Identity{}) && o.id != test.identity {
				t.Errorf("logged in as %+v, want %+v", o.id, test.identity)
			}
			if o.err == nil && (o.id.Account != "ana" || o.id.Method == "") {
				t.Errorf("logged in as %+v", o.id)
			}
			if key := offered[&test.auth[0]]; key != nil && test.want != "ssh: " { // nor is more wanted than a key
				wantExplained(t, w, or(test.from, home), or(test.user, "ana"), key.PublicKey(), o.err == nil)
			}
		})
	}
}

func TestCertificateIsNamed(t *testing.T) {
	key, authority := newKey(t), newKey(t)
	w := newWorld(t, Options{Accounts: []Account{{Name: "ana"}}, TrustedUserCAKeys: file(t, text(authority.PublicKey()))})
	o := w.login(t, home, "ana", ssh.PublicKeys(cert(t, key, authority, nil)))
	want := Certificate{"laptop", 7, ssh.FingerprintSHA256(authority.PublicKey())}
	if o.err != nil || o.id.Certificate == nil || *o.id.Certificate != want || o.id.Fingerprint != ssh.FingerprintSHA256(key.PublicKey()) {
		t.Errorf("got %+v (%v), want the certificate %v", o.id, o.err, want)
	}
}

// What one account has proven is of no use for another.
func TestAnotherAccountInStepTwo(t *testing.T) {
	anas, bobs := newKey(t), newKey(t)
	w := newWorld(t, Options{Accounts: []Account{
		{Name: "ana", AuthorizedKeys: inline(t, text(anas.PublicKey())), TOTPSecret: anasSecret},
		{Name: "bob", AuthorizedKeys: inline(t, text(bobs.PublicKey())), TOTPSecret: anasSecret},
	}})
	begin := w.Callbacks(context.Background(), nil)
	offered, err := begin.PublicKeyCallback(peer{user: "ana", from: home}, anas.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Verified(peer{user: "ana", from: home}, anas.PublicKey(), offered, "")
	var partial *ssh.PartialSuccessError
	if !errors.As(err, &partial) || partial.Next.PasswordCallback != nil || partial.Next.KeyboardInteractiveCallback == nil {
		t.Fatalf("after ana's key comes %v, want her code", err)
	}
	if _, err := w.Verified(peer{user: "bob", from: home}, anas.PublicKey(), offered, ""); err == nil || errors.As(err, &partial) {
		t.Errorf("ana's key counts for bob: %v", err)
	}
	challenge := func(_, _ string, _ []string, _ []bool) ([]string, error) { return []string{codeAt(t, noon)}, nil }
	if _, err := partial.Next.KeyboardInteractiveCallback(peer{user: "bob", from: home}, challenge); err == nil {
		t.Error("after ana's key bob logs in")
	}
}

// A code is good once, and none before it is good any more.
func TestCodesAreForOneUse(t *testing.T) {
	key := newKey(t)
	account := Account{Name: "ana", AuthorizedKeys: inline(t, text(key.PublicKey())), TOTPSecret: anasSecret}
	used := NewUsedCodes()
	for _, step := range []struct {
		code string
		want string
	}{
		{codeAt(t, noon), ""},
		{codeAt(t, noon), "used before"},
		{codeAt(t, noon.Add(-30*time.Second)), "used before"},
		{codeAt(t, noon.Add(30*time.Second)), ""},
		{codeAt(t, noon.Add(30*time.Second)), "used before"},
	} {
		// The accounts are made anew, as when the configuration is read again.
		w := newWorld(t, Options{Accounts: []Account{account}, UsedCodes: used})
		o := w.login(t, home, "ana", ssh.PublicKeys(key), answers(step.code))
		wantVerdict(t, o, step.want, true)
	}
}

// A stranger who asks for an account is told the same, and is asked for the
// same, whether it exists and whatever it has.
func TestNothingTellsWhetherAnAccountExists(t *testing.T) {
	key := newKey(t)
	w := newWorld(t, Options{Accounts: []Account{
		{Name: "ana", AuthorizedKeys: inline(t, text(key.PublicKey()))},
		{Name: "bob", PasswordHash: hashOf(t, "bobs"), TOTPSecret: anasSecret},
		{Name: "cem", PasswordHash: hashOf(t, "cems")},
	}})
	var first, asked string
	for _, user := range []string{"ana", "bob", "cem", "dan", "eve", ""} {
		var questions []string
		o := w.login(t, home, user, ssh.PublicKeys(newKey(t)), ssh.Password("no"),
			ssh.KeyboardInteractive(func(name, instruction string, q []string, _ []bool) ([]string, error) {
				questions = append(questions, name, instruction, strings.Join(q, "|"))
				return make([]string, len(q)), nil
			}))
		if o.err == nil || o.banner != "" {
			t.Fatalf("%s: %v, and is told %q", user, o.err, o.banner)
		}
		tried, prompts := strings.Join(o.tried, " "), strings.Join(questions, "/")
		if first == "" {
			first, asked = tried, prompts
		}
		if tried != first || prompts != asked || !strings.Contains(prompts, "Password: |Verification code: ") {
			t.Errorf("%s is asked %q and %q, others %q and %q", user, tried, prompts, first, asked)
		}
	}
}

// A file that is dropped into the folder makes an account, by its name alone.
func TestAccountsByFiles(t *testing.T) {
	folder, key := t.TempDir(), newKey(t)
	w := newWorld(t, Options{KeyFiles: filepath.Join(folder, "%u")})
	if o := w.login(t, home, "ana", ssh.PublicKeys(key)); o.err == nil {
		t.Fatal("ana is let in before she has a file")
	}
	for _, name := range []string{"ana", ".hidden", "a b"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text(key.PublicKey())), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for user, want := range map[string]string{
		"ana": "", "bob": "no account", ".hidden": "no account", "a b": "no account", "../" + filepath.Base(folder) + "/ana": "no account",
		"ana/": "no account", "": "no account", "%u": "no account", strings.Repeat("a", 5000): "no account",
	} {
		o := w.login(t, home, user, ssh.PublicKeys(key))
		wantVerdict(t, o, want, true)
		if want == "" && o.err == nil && o.id.Account != user {
			t.Errorf("%s is logged in as %s", user, o.id.Account)
		}
	}
}

// admit has the last word, and the person reads why.
func TestAdmitRefuses(t *testing.T) {
	key := newKey(t)
	w := newWorld(t, Options{Accounts: []Account{{Name: "ana", AuthorizedKeys: inline(t, text(key.PublicKey()))}}})
	begin := w.Callbacks(context.Background(), func(id Identity) error {
		if id.Account != "ana" || id.Method != "publickey" {
			t.Errorf("admit is asked for %+v", id)
		}
		return errors.New("too many sessions")
	})
	who := peer{user: "ana", from: home}
	offered, err := begin.PublicKeyCallback(who, key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Verified(who, key.PublicKey(), offered, "")
	var banner *ssh.BannerError
	if !errors.As(err, &banner) || banner.Message != "Login refused: too many sessions.\n" {
		t.Errorf("got %v", err)
	}
}

// No secret is in what is logged, nor in what errors say.
func TestSecretsAreNotTold(t *testing.T) {
	key := newKey(t)
	w := newWorld(t, Options{Accounts: []Account{
		{Name: "ana", AuthorizedKeys: inline(t, text(key.PublicKey())), PasswordHash: hashOf(t, anasPassword), TOTPSecret: anasSecret},
	}})
	const canary = "canary-password"
	said := ""
	for _, auth := range [][]ssh.AuthMethod{
		{ssh.Password(canary)}, {answers(canary, "123456")}, {answers(anasPassword, "123456")},
		{ssh.PublicKeys(key), answers(canary, "123456")}, {ssh.PublicKeys(key), answers(anasPassword, "123456")},
	} {
		o := w.login(t, home, "ana", auth...)
		if o.err == nil {
			t.Fatal("logged in")
		}
		said += o.err.Error() + o.banner
	}
	said += w.log.String()
	for _, secret := range []string{canary, anasPassword, anasSecret, "123456", "argon2id"} {
		if strings.Contains(said, secret) {
			t.Errorf("%q is in %s", secret, said)
		}
	}
}

func TestSettingsOfAccountsRefused(t *testing.T) {
	hash, key := hashOf(t, anasPassword), text(newKey(t).PublicKey())
	empty := hash[:strings.LastIndex(hash, "$")+1]
	for name, test := range map[string]struct {
		account Account
		want    string
	}{
		"a password itself":        {Account{Name: "ana", PasswordHash: anasPassword}, "shelfd passwd"},
		"a hash of nothing":        {Account{Name: "ana", PasswordHash: empty}, "shelfd passwd"},
		"another kind of hash":     {Account{Name: "ana", PasswordHash: "$2y$10$abcdefghijklmnopqrstuv"}, "shelfd passwd"},
		"a hash of no rounds":      {Account{Name: "ana", PasswordHash: strings.Replace(hash, "t=2", "t=0", 1)}, "out of bounds"},
		"a hash of all the memory": {Account{Name: "ana", PasswordHash: strings.Replace(hash, "m=19456", "m=4000000000", 1)}, "out of bounds"},
		"a short secret":           {Account{Name: "ana", PasswordHash: hash, TOTPSecret: "JBSWY3DP"}, "shelfd totp"},
		"a secret not in base32":   {Account{Name: "ana", PasswordHash: hash, TOTPSecret: "10189018901890189018901890189"}, "shelfd totp"},
		"a code alone":             {Account{Name: "ana", TOTPSecret: anasSecret, Methods: chains(t, "keyboard-interactive")}, "a code alone is not enough"},
		"keys it has not":          {Account{Name: "ana", PasswordHash: hash, Methods: chains(t, "publickey,password")}, "no keys"},
		"a password it has not":    {Account{Name: "ana", AuthorizedKeys: inline(t, key), Methods: chains(t, "publickey,password")}, "no password_hash"},
		"a code it has not":        {Account{Name: "ana", AuthorizedKeys: inline(t, key), Methods: chains(t, "publickey,keyboard-interactive")}, "no totp_secret"},
		"a name with a slash":      {Account{Name: "../ana", AuthorizedKeys: inline(t, key)}, "/"},
		"a secret alone":           {Account{Name: "ana", TOTPSecret: anasSecret}, "nobody could log in"},
	} {
		_, err := NewAccounts(Options{Accounts: []Account{test.account}})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	for _, chain := range []string{"", "publickey,", "gssapi", "publickey,publickey", "password password"} {
		if _, err := ParseChain(chain); err == nil {
			t.Errorf("%q is taken for methods", chain)
		}
	}
}

func TestListsThatCannotBeRead(t *testing.T) {
	key := newKey(t)
	good := []Account{{Name: "ana", AuthorizedKeys: inline(t, text(key.PublicKey()))}}
	for name, o := range map[string]Options{
		"no list of the revoked":  {RevokedKeys: "/nonexistent"},
		"a binary list":           {RevokedKeys: file(t, string(krlMagic)+"\x00\x00")},
		"words":                   {RevokedKeys: file(t, "all of ana's keys")},
		"no authorities":          {TrustedUserCAKeys: "/nonexistent"},
		"authorities and options": {TrustedUserCAKeys: file(t, `from="10.0.0.1" `+text(key.PublicKey()))},
		"weak authorities":        {TrustedUserCAKeys: file(t, text(rsaKey(t, 1024)))},
	} {
		o.Accounts = good
		if _, err := NewAccounts(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// A list that goes missing later lets nobody in.
	list := file(t, text(newKey(t).PublicKey()))
	w := newWorld(t, Options{Accounts: good, RevokedKeys: list})
	if o := w.login(t, home, "ana", ssh.PublicKeys(key)); o.err != nil {
		t.Fatal(o.err)
	}
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	if o := w.login(t, home, "ana", ssh.PublicKeys(key)); o.err == nil {
		t.Error("a key is accepted that may be revoked")
	}
}

// Known and unknown accounts take the same time to be refused: compare the
// medians that the sub-benchmarks report.
func BenchmarkRefusal(b *testing.B) {
	hash, err := HashPassword(anasPassword)
	if err != nil {
		b.Fatal(err)
	}
	keys := NewAuthorizedKeys("", nil)
	if err := keys.Add(text(newKey(b).PublicKey())); err != nil {
		b.Fatal(err)
	}
	a, err := NewAccounts(Options{Accounts: []Account{{Name: "ana", AuthorizedKeys: keys, PasswordHash: hash}}})
	if err != nil {
		b.Fatal(err)
	}
	stranger := newKey(b).PublicKey()
	for _, user := range []string{"ana", "bob"} {
		who := peer{user: user, from: home}
		b.Run("password/"+user, func(b *testing.B) {
			median(b, func() { a.Callbacks(context.Background(), nil).PasswordCallback(who, []byte("wrong")) })
		})
		b.Run("publickey/"+user, func(b *testing.B) {
			median(b, func() { a.Callbacks(context.Background(), nil).PublicKeyCallback(who, stranger) })
		})
	}
}

func median(b *testing.B, f func()) {
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		f()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "median-ns")
}
