package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"shelf/keys"
	"shelf/vfs"
)

// accountSettings are a table [accounts.NAME].
type accountSettings struct {
	Library               string       `toml:"library,omitempty"`
	AuthorizedKeysFile    string       `toml:"authorized_keys_file,omitempty"`
	AuthorizedKeys        []string     `toml:"authorized_keys,omitempty"`
	AuthorizedPrincipals  []string     `toml:"authorized_principals,omitempty"`
	PasswordHash          string       `toml:"password_hash,omitempty"`
	TOTPSecret            string       `toml:"totp_secret,omitempty"`
	AuthenticationMethods []chain      `toml:"authentication_methods,omitempty"`
	Permissions           []permission `toml:"permissions,omitempty"`
	From                  []string     `toml:"from,omitempty"`
	Expires               *time.Time   `toml:"expires,omitempty"`
	MaxSessions           uint16       `toml:"max_sessions,omitempty"`
	MaxFileSize           *size        `toml:"max_file_size,omitempty"`
	MaxUploadRate         size         `toml:"max_upload_rate,omitempty"`
	MaxDownloadRate       size         `toml:"max_download_rate,omitempty"`
}

// chain is methods that must succeed in a row: "publickey,password".
type chain struct{ keys.Chain }

func (c *chain) UnmarshalText(text []byte) (err error) {
	c.Chain, err = keys.ParseChain(string(text))
	return err
}

func (c chain) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// permission is one thing that an account may do, or a preset of several.
type permission struct {
	name  string
	grant vfs.Permissions
}

// presets are permissions that go together; the others are one each.
func presets() []permission {
	all := vfs.Permissions{List: true, Read: true, Write: true, Overwrite: true, Rename: true, Delete: true}
	return []permission{
		{"reader", vfs.Permissions{List: true, Read: true}},
		{"dropbox", vfs.Permissions{Write: true}},
		{"editor", vfs.DefaultPermissions()},
		{"admin", all},
		{"list", vfs.Permissions{List: true}},
		{"read", vfs.Permissions{Read: true}},
		{"write", vfs.Permissions{Write: true}},
		{"overwrite", vfs.Permissions{Overwrite: true}},
		{"rename", vfs.Permissions{Rename: true}},
		{"delete", vfs.Permissions{Delete: true}},
	}
}

func (p *permission) UnmarshalText(text []byte) error {
	var names []string
	for _, preset := range presets() {
		if preset.name == string(text) {
			*p = preset
			return nil
		}
		names = append(names, preset.name)
	}
	return fmt.Errorf("there is no permission %q; there are %s", text, strings.Join(names, ", "))
}

func (p permission) MarshalText() ([]byte, error) { return []byte(p.name), nil }

// permissions are those of an account, together.
func (a accountSettings) permissions() vfs.Permissions {
	if a.Permissions == nil {
		return vfs.DefaultPermissions()
	}
	var all vfs.Permissions
	for _, p := range a.Permissions {
		all.List = all.List || p.grant.List
		all.Read = all.Read || p.grant.Read
		all.Write = all.Write || p.grant.Write
		all.Overwrite = all.Overwrite || p.grant.Overwrite
		all.Rename = all.Rename || p.grant.Rename
		all.Delete = all.Delete || p.grant.Delete
	}
	return all
}

// manyAccounts tells whether there are others than the one called User.
func (s settings) manyAccounts() bool { return len(s.Accounts) > 0 || s.keyFiles() != "" }

// keyFiles is where files make accounts by their names, "" for nowhere.
func (s settings) keyFiles() string {
	if strings.Contains(s.AuthorizedKeysFile, "%u") {
		return s.AuthorizedKeysFile
	}
	return ""
}

// accounts are those configured, by name.
func (s settings) accounts() map[string]accountSettings {
	if s.manyAccounts() {
		return s.Accounts
	}
	return map[string]accountSettings{s.User: {AuthorizedKeysFile: s.AuthorizedKeysFile}}
}

// openAccounts makes of the settings who may log in.
func (s settings) openAccounts(used *keys.UsedCodes, log *slog.Logger) (*keys.Accounts, error) {
	if len(s.Accounts) > 0 && s.AuthorizedKeysFile != "" && s.keyFiles() == "" {
		return nil, s.places.mistake("authorized_keys_file",
			errors.New("it would be the same for all [accounts]; put %u into it, for the account's name"))
	}
	o := keys.Options{
		KeyFiles: s.keyFiles(), TrustedUserCAKeys: s.TrustedUserCAKeys, RevokedKeys: s.RevokedKeys, UsedCodes: used, Log: log,
	}
	var mistakes error
	all := s.accounts()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		account, err := s.account(name, all[name], log)
		mistakes = errors.Join(mistakes, err)
		o.Accounts = append(o.Accounts, account)
	}
	accounts, err := keys.NewAccounts(o)
	return accounts, errors.Join(mistakes, s.placeFaults(err))
}

// placeFaults says of each fault of the accounts where its setting is set.
func (s settings) placeFaults(err error) error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var placed error
		for _, one := range all.Unwrap() {
			placed = errors.Join(placed, s.placeFaults(one))
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
	return s.places.mistake(setting, fault.Err)
}

// account is how one may log in; the error is all that is wrong with its table.
func (s settings) account(name string, a accountSettings, log *slog.Logger) (account keys.Account, err error) {
	if _, ok := s.libraries()[cmp.Or(a.Library, s.usualLibrary())]; !ok {
		err = s.noLibrary(name, a.Library)
	}
	account = keys.Account{Name: name, PasswordHash: a.PasswordHash, TOTPSecret: a.TOTPSecret, Principals: a.AuthorizedPrincipals}
	for _, c := range a.AuthenticationMethods {
		account.Methods = append(account.Methods, c.Chain)
	}
	if a.Expires != nil {
		account.Expires = *a.Expires
	}
	if a.From != nil {
		var wrong error
		if account.From, wrong = keys.ParseSources(a.From); wrong != nil {
			err = errors.Join(err, s.places.mistake("accounts."+name+".from", wrong))
		}
	}
	var wrong error
	account.AuthorizedKeys, wrong = s.authorizedKeys(name, a, log)
	return account, errors.Join(err, wrong)
}

// noLibrary says that an account has none, for it names one that there is not,
// or none where it would have to.
func (s settings) noLibrary(account, name string) error {
	setting, names := "accounts."+account+".library", slices.Sorted(maps.Keys(s.libraries()))
	switch {
	case !s.manyAccounts():
		return s.places.mistake("libraries", fmt.Errorf("one must be called default, for the account that there is; there are %s", strings.Join(names, ", ")))
	case name == "":
		return s.places.mistake(setting, fmt.Errorf("it must be set, since no library is called default; there are %s", strings.Join(names, ", ")))
	case len(s.Libraries) == 0:
		return s.places.mistake(setting, fmt.Errorf("there is no library %q; there is but one, set by library, so leave this out", name))
	}
	return s.places.mistake(setting, fmt.Errorf("there is no library %q; the nearest is %q", name, nearest(name, names)))
}

// authorizedKeys are the keys of an account: in its own file, or else in that
// which all have one of, and in its table. nil is none.
func (s settings) authorizedKeys(name string, a accountSettings, log *slog.Logger) (*keys.AuthorizedKeys, error) {
	path := a.AuthorizedKeysFile
	if path == "" && len(a.AuthorizedKeys) == 0 {
		path = s.keyFiles()
	}
	if path == "" && len(a.AuthorizedKeys) == 0 {
		return nil, nil
	}
	file := keys.NewAuthorizedKeys(keys.ExpandUser(path, name), log)
	if err := file.Add(a.AuthorizedKeys...); err != nil {
		return file, s.places.mistake("accounts."+name+".authorized_keys", err)
	}
	if a.AuthorizedKeysFile != "" {
		return file, s.checkKeys(name, file)
	}
	return file, nil
}

// keysSetting is the name of the setting for an account's own file of keys.
func (s settings) keysSetting(account string) string {
	if !s.manyAccounts() {
		return "authorized_keys_file"
	}
	return "accounts." + account + ".authorized_keys_file"
}
