package config

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
)

// onlyLibrary is the name of the library when no table names any.
const onlyLibrary = "library"

// AllLibraries are the libraries to serve, by name. What their tables leave out
// is filled in: no pointer is nil.
func (s Settings) AllLibraries() map[string]Library {
	all := make(map[string]Library)
	for name, l := range s.Libraries {
		l.FolderMode = First(l.FolderMode, &FolderMode{0o750})
		l.FileMode = First(l.FileMode, &s.FileMode)
		l.Durability = First(l.Durability, &s.Durability)
		l.Quota = First(l.Quota, &s.Quota)
		l.AccountQuota = First(l.AccountQuota, &s.AccountQuota)
		l.MaxFiles = First(l.MaxFiles, &s.MaxFiles)
		l.MinFreeSpace = First(l.MinFreeSpace, &s.MinFreeSpace)
		l.MaxFileSize = First(l.MaxFileSize, &s.MaxFileSize)
		l.AllowHardLinks = First(l.AllowHardLinks, &s.AllowHardLinks)
		l.KeepVersions = First(l.KeepVersions, &s.KeepVersions)
		l.KeepVersionsFor = First(l.KeepVersionsFor, &s.KeepVersionsFor)
		l.ExpireAfter = First(l.ExpireAfter, &s.ExpireAfter)
		l.Hold = First(l.Hold, &s.Hold)
		if l.Gate.IsSet() {
			l.Gate = l.Gate.complete()
		}
		all[name] = l
	}
	if len(all) == 0 {
		all[onlyLibrary] = Library{
			Path: s.Library, FolderMode: &FolderMode{0o750}, FileMode: &s.FileMode, Durability: &s.Durability, Quota: &s.Quota,
			AccountQuota: &s.AccountQuota, MaxFiles: &s.MaxFiles, MinFreeSpace: &s.MinFreeSpace, MaxFileSize: &s.MaxFileSize, AllowHardLinks: &s.AllowHardLinks,
			KeepVersions: &s.KeepVersions, KeepVersionsFor: &s.KeepVersionsFor, ExpireAfter: &s.ExpireAfter, Hold: &s.Hold,
		}
	}
	return all
}

// Serves are the libraries of an account by the names of their folders in "/". A
// single one that is "/" itself has the name "".
type Serves struct {
	Start     string // the folder that the account starts in; "" is "/"
	Libraries map[string]Served
}

// Served is a library of an account.
type Served struct {
	Library     string       // its name
	Permissions []Permission // nil is the default
}

// Serves are the libraries of an account with a table.
func (s Settings) Serves(a Account) Serves {
	return s.serves(a.Library, a.Libraries, a.Permissions, a.StartDirectory)
}

// ServesFiles are the libraries of accounts that key files make.
func (s Settings) ServesFiles() Serves {
	f := s.FileAccounts
	return s.serves(f.Library, f.Libraries, f.Permissions, f.StartDirectory)
}

func (s Settings) serves(library string, several Permitted, permissions []Permission, start string) Serves {
	all := Serves{Start: start, Libraries: make(map[string]Served)}
	for name, p := range several {
		all.Libraries[name] = Served{name, p}
	}
	if len(several) == 0 {
		all.Libraries[""] = Served{cmp.Or(library, s.UsualLibrary()), permissions}
	}
	return all
}

// LibraryNames are the names of the libraries, sorted.
func (s Settings) LibraryNames() []string { return slices.Sorted(maps.Keys(s.AllLibraries())) }

// First is the first value that is set.
func First[T any](all ...*T) *T {
	for _, v := range all {
		if v != nil {
			return v
		}
	}
	return nil
}

// PathSetting is the name of the setting for a library's path, or for its bucket.
func (s Settings) PathSetting(library string) string {
	if len(s.Libraries) == 0 {
		return "library"
	}
	if s.Libraries[library].Bucket != "" {
		return "libraries." + library + ".bucket"
	}
	return "libraries." + library + ".path"
}

// UsualLibrary is the library of an account that names none: the only one, or
// the one called default.
func (s Settings) UsualLibrary() string {
	if names := s.LibraryNames(); len(names) == 1 {
		return names[0]
	}
	return "default"
}

// ManyAccounts tells whether accounts come from [accounts] or from key files,
// and not from User alone.
func (s Settings) ManyAccounts() bool { return len(s.Accounts) > 0 || s.KeyFiles() != "" }

// KeyFiles is the path of key files that make accounts, with %u for the
// account's name; "" is none.
func (s Settings) KeyFiles() string {
	if strings.Contains(s.AuthorizedKeysFile, "%u") {
		return s.AuthorizedKeysFile
	}
	return ""
}

// AllAccounts are the accounts that are configured, by name.
func (s Settings) AllAccounts() map[string]Account {
	if s.ManyAccounts() {
		return s.Accounts
	}
	return map[string]Account{s.User: {AuthorizedKeysFile: s.AuthorizedKeysFile}}
}

// KeysSetting is the name of the setting for an account's file of keys.
func (s Settings) KeysSetting(account string) string {
	if _, ok := s.Accounts[account]; ok {
		return "accounts." + account + ".authorized_keys_file"
	}
	return "authorized_keys_file"
}

// checkTables refuses what is set both in tables and at the top.
func (s Settings) checkTables() error {
	if len(s.Libraries) > 0 && s.Library != "" {
		return s.Mistake("library", errors.New("library and [libraries] cannot both be set; leave library out"))
	}
	if s.ManyAccounts() && s.User != "" {
		where := "[accounts]"
		if len(s.Accounts) == 0 {
			where = "the files of authorized_keys_file"
		}
		return s.Mistake("user", errors.New("it names the account of a server that has no others; here "+where+" name them, so leave it out"))
	}
	for name, l := range s.Libraries {
		if l.Path == "" && l.Bucket == "" {
			return s.Mistake("libraries."+name+".path", errors.New("it is not set; name the directory to serve"))
		}
		err := errors.Join(s.checkBucket(name, l), s.checkGate(name, l.Gate), s.checkPatterns("libraries."+name+".", l.AllowedNames, l.RefusedNames))
		if err != nil {
			return err
		}
	}
	for name, a := range s.Accounts {
		if err := s.checkPatterns("accounts."+name+".", a.AllowedNames, a.RefusedNames); err != nil {
			return err
		}
	}
	if len(s.Accounts) > 0 && s.AuthorizedKeysFile != "" && s.KeyFiles() == "" {
		return s.Mistake("authorized_keys_file",
			errors.New("all [accounts] would have the same keys; put %u into the path, for the account's name"))
	}
	return nil
}
