package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
)

// checkSomebody refuses to serve when nobody could log in. An account that
// cannot log in keeps nobody else from being served.
func checkSomebody(s config.Settings, all []keys.Entrance) error {
	if slices.ContainsFunc(all, func(e keys.Entrance) bool { return len(e.Ways) > 0 }) {
		return nil
	}
	return checkEntrances(s, all)
}

// checkEntrances finds accounts that could not log in, or not in every way that
// they should.
func checkEntrances(s config.Settings, all []keys.Entrance) error {
	err := checkKeyFiles(s)
	if err == nil && len(all) == 0 {
		file := keys.ExpandUser(s.KeyFiles(), "NAME")
		err = &problem{s.Where("authorized_keys_file"), "Nobody could log in", fmt.Errorf("there is no %s for any NAME", file),
			"Put a public key there under the name of its account: cp ~/.ssh/id_ed25519.pub " + file}
	}
	for _, e := range all {
		if e.Err != nil {
			err = errors.Join(err, checkEntrance(s, e))
		}
	}
	return errors.Join(err, checkDropped(s, all))
}

// checkDropped finds what is wrong with the libraries of accounts that come from
// key files, if there are such accounts or something is said of them.
func checkDropped(s config.Settings, all []keys.Entrance) error {
	if s.KeyFiles() == "" {
		return nil
	}
	f := s.FileAccounts
	said := f.Library != "" || len(f.Libraries) > 0 || f.StartDirectory != ""
	if said || slices.ContainsFunc(all, func(e keys.Entrance) bool { _, ok := s.AllAccounts()[e.Account]; return !ok }) {
		return checkFileServes(s)
	}
	return nil
}

func checkEntrance(s config.Settings, e keys.Entrance) error {
	where := s.Where(s.KeysSetting(e.Account))
	if len(e.Ways) > 0 {
		return &problem{where, fmt.Sprintf("Account %q: a login by key would be refused", e.Account), e.Err,
			"It could log in by " + strings.Join(e.Ways, ", or ") + "."}
	}
	remedy := "Correct the file; it is read at each login."
	switch {
	case errors.Is(e.Err, fs.ErrNotExist) || errors.Is(e.Err, keys.ErrNoKey):
		remedy = "Put a public key into it, one a line; it is read at each login."
	case errors.Is(e.Err, keys.ErrPrivateKey):
		remedy = "Replace it with its .pub file. If others could read the private key, make a new one."
	}
	return &problem{where, fmt.Sprintf("Account %q: nobody could log in to it", e.Account), e.Err, remedy}
}

// checkKeyFiles refuses a folder of key files that does not exist.
func checkKeyFiles(s config.Settings) error {
	if s.KeyFiles() == "" {
		return nil
	}
	folder := keys.KeyFilesFolder(s.KeyFiles())
	if _, err := os.ReadDir(folder); err != nil {
		return &problem{s.Where("authorized_keys_file"), "The files of authorized_keys_file cannot be found", err,
			"Make their folder with: mkdir -p " + folder + "\n  or name another in authorized_keys_file."}
	}
	return nil
}

// noteExpired names the accounts that have expired, which may well be meant.
func noteExpired(all []keys.Entrance, now time.Time, out io.Writer) {
	for _, e := range all {
		if e.Expired(now) {
			fmt.Fprintf(out, "Note: account %q expired on %s.\n", e.Account, e.Expires.Format(time.DateOnly))
		}
	}
}

// listEntrances writes how each account can log in, as comments of TOML.
func listEntrances(all []keys.Entrance, now time.Time, out io.Writer) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(out, "# Who can log in, and how:")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, e := range all {
		how := cmp.Or(strings.Join(e.Ways, ", or "), "nobody can")
		if e.Expired(now) {
			how = "nobody can any more; " + how + " until " + e.Expires.Format(time.DateOnly)
		}
		fmt.Fprintf(w, "#   %s\t%s\n", e.Account, how)
	}
	w.Flush()
}
