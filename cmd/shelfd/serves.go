package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shelf/cmd/shelfd/config"
	"shelf/vfs"
)

// checkServes finds what is wrong with the libraries of an account.
func checkServes(s config.Settings, account string, table config.Account) error {
	return checkShares(s, "accounts."+account+".", table.Library, table.Libraries, table.Permissions, table.StartDirectory)
}

// checkFileServes finds what is wrong with those of accounts that key files make.
func checkFileServes(s config.Settings) error {
	f := s.FileAccounts
	return checkShares(s, "file_accounts.", f.Library, f.Libraries, f.Permissions, f.StartDirectory)
}

func checkShares(s config.Settings, table, library string, several config.Permitted, permissions []config.Permission, start string) (err error) {
	mistake := func(setting, format string, args ...any) {
		err = errors.Join(err, s.Mistake(table+setting, fmt.Errorf(format, args...)))
	}
	if len(several) == 0 {
		if strings.Trim(start, "/") != "" {
			mistake("start_directory", "an account with one library has no folders to start in")
		}
		return errors.Join(err, checkSingle(s, table, library))
	}
	if library != "" {
		mistake("library", "library and libraries cannot both be set; leave library out")
	}
	if permissions != nil {
		mistake("permissions", "each of several libraries has its own; leave this out")
	}
	for _, name := range slices.Sorted(maps.Keys(several)) {
		if _, ok := s.AllLibraries()[name]; !ok || len(s.Libraries) == 0 {
			mistake("libraries."+name, "there is no library %q; there are %s", name, strings.Join(s.LibraryNames(), ", "))
		}
		if bad := vfs.CheckName(name); bad != nil {
			mistake("libraries."+name, "a folder can't be called that: %w", bad)
		}
	}
	if folder := strings.Trim(start, "/"); folder != "" {
		if _, ok := several[folder]; !ok {
			mistake("start_directory", "%q is none of its libraries; these are %s", start, strings.Join(slices.Sorted(maps.Keys(several)), ", "))
		}
	}
	return err
}

// checkSingle says why an account has no library: it names one that does not exist,
// or names none where it has to.
func checkSingle(s config.Settings, table, name string) error {
	setting, names := table+"library", s.LibraryNames()
	_, usual := s.AllLibraries()[s.UsualLibrary()]
	_, ok := s.AllLibraries()[name]
	switch {
	case ok || name == "" && usual:
		return nil
	case !s.ManyAccounts():
		return s.Mistake("libraries", fmt.Errorf("without [accounts], one library must be called default; there are %s", strings.Join(names, ", ")))
	case name == "":
		return s.Mistake(setting, fmt.Errorf("it must be set, since no library is called default; there are %s", strings.Join(names, ", ")))
	case len(s.Libraries) == 0:
		return s.Mistake(setting, fmt.Errorf("there is no library %q; the only library has no name, so leave this out", name))
	}
	return s.Mistake(setting, fmt.Errorf("there is no library %q; the nearest is %q", name, config.Nearest(name, names)))
}
