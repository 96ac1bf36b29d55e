package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/library"
	"shelf/keys"
	"shelf/sshd/budget"
)

// accounts is the part that knows who may log in. An account with a mistake keeps
// no other from logging in.
type accounts struct {
	used    *keys.UsedCodes
	hashing *budget.Turns // of passwords, by source
	log     *slog.Logger

	current   *keys.Accounts
	problems  []string        // with accounts that can't log in as they should
	entrances []keys.Entrance // what check found
}

// check finds every account that could not log in as it should.
func (a *accounts) check(s config.Settings) error {
	_, err := openUsedCodes(s, a.log)
	all, wrong, fatal := a.build(s)
	if err = errors.Join(err, fatal); all == nil {
		return errors.Join(err, wrong.all())
	}
	a.entrances = all.Entrances()
	return errors.Join(err, wrong.all(), checkEntrances(s, a.entrances))
}

// open fails only if no account can log in.
func (a *accounts) open(s config.Settings) (err error) {
	if a.used, err = openUsedCodes(s, a.log); err != nil {
		return err
	}
	commit, err := a.reload(s, s)
	if err != nil {
		return err
	}
	return commit()
}

func (a *accounts) reload(_, next config.Settings) (func() error, error) {
	all, wrong, err := a.build(next)
	if err != nil {
		return nil, err
	}
	entrances := all.Entrances()
	if err := checkSomebody(next, entrances); err != nil {
		return nil, errors.Join(wrong.all(), err)
	}
	return func() error {
		all.Follow(a.current)
		a.current = all
		a.used.Share(library.Codes(next, a.log)) // each counts once on all servers of a bucket
		a.report(wrong, entrances)
		return a.remember(next)
	}, nil
}

func (a *accounts) close() {}

// maxReported is how many accounts that can't log in are logged one by one.
const maxReported = 100

// report logs which accounts can't log in as they should.
func (a *accounts) report(wrong mistakes, entrances []keys.Entrance) {
	count := 0
	a.problems = nil
	say := func(account string, err error) {
		if count++; count <= maxReported {
			a.log.Error("an account has a mistake", "account", account, "reason", oneLine(err))
			a.problems = append(a.problems, fmt.Sprintf("account %s can't log in as it should: see the log, or shelfd check", account))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		say(name, wrong[name])
	}
	for _, e := range entrances {
		if e.Err != nil {
			say(e.Account, e.Err)
		}
	}
	if count > maxReported {
		a.log.Error("more accounts have mistakes; shelfd check names them", "count", count-maxReported)
		a.problems = append(a.problems, fmt.Sprintf("%d more accounts can't log in as they should", count-maxReported))
	}
}

// mistakes are what is wrong with accounts, by name.
type mistakes map[string]error

func (m mistakes) add(account string, err error) {
	if err != nil {
		m[account] = errors.Join(m[account], err)
	}
}

func (m mistakes) all() (err error) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		err = errors.Join(err, m[name])
	}
	return err
}

// openUsedCodes reads which one-time codes were used before.
func openUsedCodes(s config.Settings, log *slog.Logger) (*keys.UsedCodes, error) {
	used, err := keys.OpenUsedCodes(s.State, log)
	if err != nil {
		return nil, &problem{s.Where("state"), "One-time codes could be used twice", err, "Mend the file, or remove it a minute after the last login."}
	}
	return used, nil
}

// build makes of the settings who may log in. What is wrong with an account keeps
// that one out; the error is what concerns all.
func (a *accounts) build(s config.Settings) (all *keys.Accounts, wrong mistakes, err error) {
	if err := checkUser(s); err != nil {
		return nil, nil, err
	}
	gone, err := tablesGone(s)
	if err != nil {
		return nil, nil, err
	}
	wrong = keyFilesInLibraries(s)
	o := keys.Options{
		KeyFiles: s.KeyFiles(), TrustedUserCAKeys: s.TrustedUserCAKeys, RevokedKeys: s.RevokedKeys, UsedCodes: a.used, Log: a.log, Hashing: a.hashing.Take,
	}
	tables := s.AllAccounts()
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		account, mistake := a.account(s, name, tables[name])
		wrong.add(name, mistake)
		o.Accounts = append(o.Accounts, account)
	}
	o.NotByFile = gone
	_, err = keys.NewAccounts(o)
	wrong.take(s, err)
	o.NotByFile = slices.Concat(gone, slices.Collect(maps.Keys(wrong)))
	o.Accounts = slices.DeleteFunc(o.Accounts, func(a keys.Account) bool { return wrong[a.Name] != nil })
	if len(o.Accounts) == 0 && o.KeyFiles == "" && len(wrong) > 0 {
		return nil, nil, wrong.all()
	}
	all, err = keys.NewAccounts(o)
	return all, wrong, placeFaults(s, err)
}

// take takes the faults that concern one account each.
func (m mistakes) take(s config.Settings, err error) {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range all.Unwrap() {
			m.take(s, one)
		}
		return
	}
	var fault *keys.Fault
	if errors.As(err, &fault) && fault.Account != "" {
		m.add(fault.Account, placeFaults(s, err))
	}
}

// keyFilesInLibraries finds accounts whose keys clients could change.
func keyFilesInLibraries(s config.Settings) mistakes {
	wrong, p := make(mistakes), newPlaces(s)
	if s.KeyFiles() != "" {
		for name, file := range keys.KeyFilesNow(s.KeyFiles()) {
			wrong.add(name, p.apart(s, keyFile(file, "authorized_keys_file")))
		}
	}
	for name, a := range s.Accounts {
		wrong.add(name, p.apart(s, keyFile(keys.ExpandUser(a.AuthorizedKeysFile, name), s.KeysSetting(name))))
	}
	return wrong
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
	err = checkServes(s, name, table)
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
