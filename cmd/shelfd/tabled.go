package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
)

// An account that had a table may have had a second factor, or few rights. When
// the table goes while the account's key file stays, the file alone must not make
// an account of other rights. So the state folder remembers who had tables.

// tabled is the file of the names that had tables, one a line.
func tabled(s config.Settings) string { return filepath.Join(s.State, "accounts") }

// tablesGone are the accounts that had tables, have none now, and are not said to
// go on without one.
func tablesGone(s config.Settings) ([]string, error) {
	all, err := hadTables(s)
	return slices.DeleteFunc(all, func(name string) bool {
		_, has := s.Accounts[name]
		return has || slices.Contains(s.FileAccounts.WithoutTable, name)
	}), err
}

func hadTables(s config.Settings) ([]string, error) {
	content, err := os.ReadFile(tabled(s))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &problem{s.Where("state"), "It is not known which accounts had tables", err, "The user of the server must be able to read that file."}
	}
	return strings.Fields(string(content)), nil
}

// remember adds the accounts that have tables now, and warns of key files that
// make no account. The file is replaced in one step. After a power cut it may be
// the old one: the next start adds what is missing, if the table is still there.
func (a *accounts) remember(s config.Settings) error {
	if s.KeyFiles() == "" {
		return nil
	}
	release, err := lockState(s)
	if err != nil {
		return &problem{s.Where("state"), "Which accounts have tables cannot be remembered", err, "The user of the server must be able to write there."}
	}
	defer release()
	all, err := hadTables(s)
	if err != nil {
		return err
	}
	known := len(all)
	for name := range s.Accounts {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) > known {
		slices.Sort(all)
		if err := writeLines(tabled(s), all); err != nil {
			return &problem{s.Where("state"), "Which accounts have tables cannot be remembered", err, "The user of the server must be able to write there."}
		}
	}
	gone, err := tablesGone(s)
	for _, name := range gone {
		if file := keys.ExpandUser(s.KeyFiles(), name); exists(file) {
			a.log.Warn("a key file makes no account, since the account had a table that is gone; remove the file, or name the account in file_accounts.without_table",
				"file", file, "account", name)
		}
	}
	return err
}

// lockState keeps other servers with this state folder from changing the file
// meanwhile: what one adds must not get lost.
func lockState(s config.Settings) (release func(), err error) {
	if err := os.MkdirAll(s.State, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(tabled(s)+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func writeLines(path string, lines []string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, strings.Join(lines, "\n"))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
