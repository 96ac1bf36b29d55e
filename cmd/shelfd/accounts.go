package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
	"shelf/sshd/budget"
)

// accounts is the part that knows who may log in.
type accounts struct {
	used    *keys.UsedCodes
	hashing *budget.Turns // of passwords, by source
	log     *slog.Logger

	current   *keys.Accounts
	entrances []keys.Entrance // what check found
}

// check finds every account that could not log in as it should.
func (a *accounts) check(s config.Settings) error {
	_, err := openUsedCodes(s, a.log)
	all, wrong := a.build(s)
	if err := errors.Join(err, wrong); err != nil {
		return err
	}
	a.entrances = all.Entrances()
	return checkEntrances(s, a.entrances)
}

// open fails only if no account can log in.
func (a *accounts) open(s config.Settings) (err error) {
	if a.used, err = openUsedCodes(s, a.log); err != nil {
		return err
	}
	if a.current, err = a.build(s); err != nil {
		return err
	}
	if err := checkSomebody(s, a.current.Entrances()); err != nil {
		return err
	}
	return a.remember(s)
}

func (a *accounts) reload(_, next config.Settings) (func() error, error) {
	all, err := a.build(next)
	if err != nil {
		return nil, err
	}
	commit := func() error { a.current = all; return a.remember(next) }
	return commit, checkSomebody(next, all.Entrances())
}

func (a *accounts) close() {}

// openUsedCodes reads which one-time codes were used before.
func openUsedCodes(s config.Settings, log *slog.Logger) (*keys.UsedCodes, error) {
	used, err := keys.OpenUsedCodes(s.State, log)
	if err != nil {
		return nil, &problem{s.Where("state"), "One-time codes could be used twice", err, "Mend the file, or remove it a minute after the last login."}
	}
	return used, nil
}

// build makes of the settings who may log in. The error is all that is wrong
// with any account.
func (a *accounts) build(s config.Settings) (*keys.Accounts, error) {
	if err := checkUser(s); err != nil {
		return nil, err
	}
	gone, err := tablesGone(s)
	if err != nil {
		return nil, err
	}
	o := keys.Options{
		NotByFile: gone,
		KeyFiles:  s.KeyFiles(), TrustedUserCAKeys: s.TrustedUserCAKeys, RevokedKeys: s.RevokedKeys, UsedCodes: a.used, Log: a.log, Hashing: a.hashing.Take,
	}
	var mistakes error
	all := s.AllAccounts()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		account, err := a.account(s, name, all[name])
		mistakes = errors.Join(mistakes, err)
		o.Accounts = append(o.Accounts, account)
	}
	accounts, err := keys.NewAccounts(o)
	return accounts, errors.Join(mistakes, placeFaults(s, err))
}

// checkUser refuses a name that could not be typed after "sftp".
func checkUser(s config.Settings) error {
	if s.ManyAccounts() {
		return nil
	}
	if err := keys.CheckName(s.User); err != nil {
		return &problem{s.Where("user"), "The account has no usable name", err, "Name it with " + s.By("user") + "."}
	}
	return nil
}

// placeFaults adds to each fault where its setting is set.
func placeFaults(s config.Settings, err error) error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var placed error
		for _, one := range all.Unwrap() {
			placed = errors.Join(placed, placeFaults(s, one))
		}
		return placed
	}
	var fault *keys.Fault
	if !errors.As(err, &fault) {
		return err
	}
	setting := fault.Setting
	if _, ok := s.Accounts[fault.Account]; ok {
		setting = strings.TrimSuffix("accounts."+fault.Account+"."+setting, ".")
	}
	if setting == "" {
		return err
	}
	return s.Mistake(setting, fault.Err)
}

// account is how one account logs in. The error is all that is wrong with its
// table.
func (a *accounts) account(s config.Settings, name string, table config.Account) (account keys.Account, err error) {
	mistake := func(setting string, wrong error) {
		if wrong != nil {
			err = errors.Join(err, s.Mistake("accounts."+name+"."+setting, wrong))
		}
	}
	if _, ok := s.AllLibraries()[cmp.Or(table.Library, s.UsualLibrary())]; !ok {
		err = noLibrary(s, name, table.Library)
	}
	account = keys.Account{Name: name, PasswordHash: table.PasswordHash, TOTPSecret: table.TOTPSecret, Principals: table.AuthorizedPrincipals}
	for _, methods := range table.AuthenticationMethods {
		chain, wrong := keys.ParseChain(methods)
		if mistake("authentication_methods", wrong); wrong == nil {
			account.Methods = append(account.Methods, chain)
		}
	}
	if table.Expires != nil {
		account.Expires = *table.Expires
	}
	if table.From != nil {
		var wrong error
		account.From, wrong = keys.ParseSources(table.From)
		mistake("from", wrong)
	}
	var wrong error
	account.AuthorizedKeys, wrong = a.authorizedKeys(s, name, table)
	return account, errors.Join(err, wrong)
}

// noLibrary says why an account has no library: it names one that does not
// exist, or names none where it has to.
func noLibrary(s config.Settings, account, name string) error {
	setting, names := "accounts."+account+".library", s.LibraryNames()
	switch {
	case !s.ManyAccounts():
		return s.Mistake("libraries", fmt.Errorf("without [accounts], one library must be called default; there are %s", strings.Join(names, ", ")))
	case name == "":
		return s.Mistake(setting, fmt.Errorf("it must be set, since no library is called default; there are %s", strings.Join(names, ", ")))
	case len(s.Libraries) == 0:
		return s.Mistake(setting, fmt.Errorf("there is no library %q; the only library has no name, so leave this out", name))
	}
	return s.Mistake(setting, fmt.Errorf("there is no library %q; the nearest is %q", name, config.Nearest(name, names)))
}

// authorizedKeys are the keys of an account: those of its table, and those of
// its own file or, if it has neither, of the file that KeyFiles makes its own.
// nil is none.
func (a *accounts) authorizedKeys(s config.Settings, name string, table config.Account) (*keys.AuthorizedKeys, error) {
	path := table.AuthorizedKeysFile
	if path == "" && len(table.AuthorizedKeys) == 0 {
		path = s.KeyFiles()
	}
	if path == "" && len(table.AuthorizedKeys) == 0 {
		return nil, nil
	}
	file := keys.NewAuthorizedKeys(keys.ExpandUser(path, name), a.log)
	if err := file.Add(table.AuthorizedKeys...); err != nil {
		return file, s.Mistake("accounts."+name+".authorized_keys", err)
	}
	if table.AuthorizedKeysFile != "" {
		return file, checkKeys(s, name, file)
	}
	return file, nil
}

// checkKeys refuses a file of keys without a key that could log in.
func checkKeys(s config.Settings, account string, file *keys.AuthorizedKeys) error {
	err := file.Check()
	if err == nil {
		return nil
	}
	setting, what := s.KeysSetting(account), "Nobody could log in"
	if s.ManyAccounts() {
		what = fmt.Sprintf("Account %q: nobody could log in by key", account)
	}
	by := s.By(setting)
	remedy := fmt.Sprintf("Correct it, or name another file with %s.", by)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, keys.ErrNoKey) {
		remedy = fmt.Sprintf("Put a public key into it, one a line: cat ~/.ssh/id_ed25519.pub >> %s\n"+
			"  (ssh-keygen -t ed25519 makes a key), or name another file with %s.", file.Path(), by)
	}
	if errors.Is(err, keys.ErrPrivateKey) {
		remedy = fmt.Sprintf("Name %s.pub with %s. If others could read the private key, make a new one.", file.Path(), by)
	}
	return &problem{s.Where(setting), what, err, remedy}
}
