package keys

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// An Account may log in.
type Account struct {
	Name           string
	AuthorizedKeys *AuthorizedKeys // nil is none
	PasswordHash   string          // argon2id, as [HashPassword] writes it, bcrypt or sha512-crypt; "" is none
	TOTPSecret     string          // in base32; "" is none
	Methods        []Chain         // one of these must succeed; nil is those that the fields above allow
	Principals     []string        // names that a certificate may be for; nil is the account's name
	From           *Sources        // where it may log in from; nil is anywhere
	Expires        time.Time       // when it ends; zero is never
}

// Options says what [Accounts] are made of.
type Options struct {
	Accounts []Account

	// KeyFiles is the path of files that make accounts: a file of authorized
	// keys makes an account of the name that stands for %u. "" is none.
	// The name must be plain: see [CheckFileName].
	KeyFiles string

	// NotByFile are names that no key file alone makes an account of.
	NotByFile []string

	TrustedUserCAKeys string     // file of keys whose certificates are trusted; "" is none
	RevokedKeys       string     // file of keys that nobody may use; "" is none
	UsedCodes         *UsedCodes // what to remember of one-time codes; nil is to begin, and forget with the process
	Log               *slog.Logger

	// Hashing waits until a password that came from a source may be hashed, or ctx
	// ends; then end is called. It should let [MaxHashing] be hashed at a time, and be
	// fair to sources. nil never waits.
	Hashing func(ctx context.Context, source string) (end func(), err error)
}

// Accounts are all who may log in. It is safe for concurrent use.
type Accounts struct {
	o      Options
	names  []string // of byName, sorted
	byName map[string]Account
	hashes []string // of the accounts that have a password
	secret [32]byte // decides which account stands in for one that does not exist; see Follow
	first  prompts  // of those who begin with keyboard-interactive
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error

	passwords *backoff // those tried, by account; see Follow

	mu      sync.Mutex
	dropped map[string]*AuthorizedKeys // of KeyFiles, those seen so far; mu
	firstOf *AuthorizedKeys            // these, which stands in for accounts that do not exist; mu
}

// maxName is the longest name of an account, in bytes.
const maxName = 64

// CheckName refuses a name that could not be typed after "sftp", or that would
// change the meaning of a path that it is put into.
func CheckName(name string) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) || strings.ContainsRune(`/\:%`, r) }
	switch {
	case name == "" || strings.ContainsFunc(name, odd):
		return fmt.Errorf(`%q is empty or has spaces, control characters or one of / \ : %%`, name)
	case name[0] == '.' || name[0] == '-':
		return fmt.Errorf("%q starts with %q", name, name[:1])
	case len(name) > maxName:
		return fmt.Errorf("%q is longer than %d bytes", name, maxName)
	}
	return nil
}

// A Fault is something wrong with a setting of an account, or of all accounts.
type Fault struct {
	Account string // "" for a setting of all accounts
	Setting string // its name, as "totp_secret"; "" for the account itself
	Err     error
}

func (f *Fault) Error() string {
	text := f.Err.Error()
	if f.Setting != "" {
		text = f.Setting + ": " + text
	}
	if f.Account != "" {
		text = fmt.Sprintf("account %q: %s", f.Account, text)
	}
	return text
}

func (f *Fault) Unwrap() error { return f.Err }

// NewAccounts makes the accounts. Each needs a name of its own and a way to log
// in. The error is a [Fault] or several, joined.
func NewAccounts(o Options) (*Accounts, error) {
	if len(o.Accounts) == 0 && o.KeyFiles == "" {
		return nil, &Fault{Err: errors.New("there is no account, so nobody could log in")}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Hashing == nil {
		o.Hashing = func(context.Context, string) (func(), error) { return func() {}, nil }
	}
	if o.UsedCodes == nil {
		o.UsedCodes = NewUsedCodes()
	}
	a := &Accounts{
		o: o, byName: make(map[string]Account, len(o.Accounts)), now: time.Now, sleep: sleep,
		passwords: newBackoff(passwordSteps()), dropped: make(map[string]*AuthorizedKeys),
	}
	rand.Read(a.secret[:])
	var faults error
	for _, account := range o.Accounts {
		faults = errors.Join(faults, a.add(account))
	}
	a.names = slices.Sorted(maps.Keys(a.byName))
	for _, name := range a.names {
		if hash := a.byName[name].PasswordHash; hash != "" {
			a.hashes = append(a.hashes, hash)
		}
	}
	if err := errors.Join(faults, a.checkFiles()); err != nil {
		return nil, err
	}
	return a, nil
}

// Follow has the accounts take the place of others, after a reload: wrong passwords
// are remembered, and the same account stands in for a name that does not exist. It
// is called before anybody logs in; before may be nil.
func (a *Accounts) Follow(before *Accounts) {
	if before != nil {
		a.passwords, a.secret = before.passwords, before.secret
	}
}

func (a *Accounts) add(account Account) error {
	if err := CheckName(account.Name); err != nil {
		return &Fault{Account: account.Name, Err: err}
	}
	if _, twice := a.byName[account.Name]; twice {
		return &Fault{Account: account.Name, Err: errors.New("there are two accounts of this name")}
	}
	if err := a.settle(&account); err != nil {
		return err
	}
	a.byName[account.Name] = account
	return nil
}

// settle checks an account and fills in the fields that were left out.
func (a *Accounts) settle(account *Account) error {
	if err := account.checkSecrets(); err != nil {
		return err
	}
	account.TOTPSecret = strings.TrimRight(strings.ToUpper(strings.ReplaceAll(account.TOTPSecret, " ", "")), "=")
	if len(account.Methods) == 0 {
		account.Methods = account.usualMethods(a.o.TrustedUserCAKeys != "")
	}
	if len(account.Principals) == 0 {
		account.Principals = []string{account.Name}
	}
	if len(account.Methods) == 0 {
		return &Fault{account.Name, "", errors.New("it has no keys and no password, so nobody could log in to it")}
	}
	for _, chain := range account.Methods {
		if err := account.check(chain, a.o.TrustedUserCAKeys != ""); err != nil {
			return &Fault{account.Name, "authentication_methods", err}
		}
		if chain[0] == interactive {
			a.first.password = a.first.password || account.PasswordHash != ""
			a.first.code = a.first.code || account.TOTPSecret != ""
		}
	}
	return nil
}

// subject is the account that a login is checked against: the one that was asked
// for or, if that does not exist, another in its place. So a login to an unknown
// name takes the same path and the same time, and ends with the same answer.
type subject struct {
	Account
	exists bool
}

func (a *Accounts) find(name string) subject {
	if account, ok := a.byName[name]; ok {
		return subject{account, true}
	}
	if file := a.dropFile(name); file != nil {
		return subject{a.droppedAccount(name, file), true}
	}
	return subject{a.standIn(name), false}
}

// dropFile is the key file that makes an account of this name; nil is none.
func (a *Accounts) dropFile(name string) *AuthorizedKeys {
	if a.o.KeyFiles == "" || CheckFileName(name) != nil || slices.Contains(a.o.NotByFile, name) {
		return nil
	}
	file := NewAuthorizedKeys(ExpandUser(a.o.KeyFiles, name), a.o.Log)
	if !file.exists() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.dropped[name]; ok {
		return known // it remembers what it has warned of
	}
	a.dropped[name] = file
	if a.firstOf == nil {
		a.firstOf = file
	}
	return file
}

func (a *Accounts) droppedAccount(name string, file *AuthorizedKeys) Account {
	return Account{Name: name, AuthorizedKeys: file, Methods: []Chain{{publicKey}}, Principals: []string{name}}
}

// standIn picks an account in the place of an unknown name. It is always the same
// for that name, so that a second try shows no difference.
func (a *Accounts) standIn(name string) Account {
	if len(a.names) > 0 {
		return a.byName[a.names[a.pick(name, len(a.names))]]
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.droppedAccount("", a.firstOf)
}

// pick is a number below n that depends on the name alone.
func (a *Accounts) pick(name string, n int) int {
	mac := hmac.New(sha256.New, a.secret[:])
	mac.Write([]byte(name))
	return int(binary.BigEndian.Uint64(mac.Sum(nil)) % uint64(n))
}

// usable is nil if the account may log in from this address now. The error is
// shown to the person, who has proven to be its owner.
func (a Account) usable(from net.Addr, now time.Time) error {
	if !a.Expires.IsZero() && !now.Before(a.Expires) {
		return expired("this account", a.Expires)
	}
	if a.From != nil && !a.From.allow(from) {
		return errors.New("this account may not log in from your address")
	}
	return nil
}

// timeFormat is how people are shown times.
const timeFormat = "2006-01-02 15:04 UTC"
