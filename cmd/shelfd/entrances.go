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

	"shelf/keys"
)

// checkSomebody refuses to serve when nobody could log in. What keeps one of
// several out keeps nobody else from being served.
func (s settings) checkSomebody(all []keys.Entrance) error {
	if slices.ContainsFunc(all, func(e keys.Entrance) bool { return len(e.Ways) > 0 }) {
		return nil
	}
	return s.checkEntrances(all)
}

// checkEntrances finds who could not log in, or not with all that should do.
func (s settings) checkEntrances(all []keys.Entrance) error {
	err := s.checkKeyFiles()
	if err == nil && len(all) == 0 {
		file := keys.ExpandUser(s.keyFiles(), "NAME")
		err = &problem{s.places.where("authorized_keys_file"), "Nobody could log in", fmt.Errorf("there is no %s for any NAME", file),
			"Put a public key there under the name of its account: cp ~/.ssh/id_ed25519.pub " + file}
	}
	for _, e := range all {
		if e.Err != nil {
			err = errors.Join(err, s.checkEntrance(e))
		}
	}
	return errors.Join(err, s.checkDropped(all))
}

// checkDropped finds accounts that files make, for which there is no library.
func (s settings) checkDropped(all []keys.Entrance) error {
	if _, ok := s.libraries()[s.usualLibrary()]; ok {
		return nil
	}
	for _, e := range all {
		if _, ok := s.accounts()[e.Account]; !ok {
			return s.places.mistake("libraries", fmt.Errorf("one must be called default, for account %q and others that files make", e.Account))
		}
	}
	return nil
}

func (s settings) checkEntrance(e keys.Entrance) error {
	where := s.places.where("authorized_keys_file")
	if _, ok := s.Accounts[e.Account]; ok {
		where = s.places.where("accounts." + e.Account + ".authorized_keys_file")
	}
	if len(e.Ways) > 0 {
		return &problem{where, fmt.Sprintf("Account %q: a login by key would be refused", e.Account), e.Err,
			"It could log in by " + strings.Join(e.Ways, ", or ") + "."}
	}
	remedy := "Mend the file; it is read at each login."
	if errors.Is(e.Err, fs.ErrNotExist) || errors.Is(e.Err, keys.ErrNoKey) {
		remedy = "Put a public key into it, one a line; it is read at each login."
	}
	return &problem{where, fmt.Sprintf("Account %q: nobody could log in to it", e.Account), e.Err, remedy}
}

// checkKeyFiles refuses a folder of key files that is not there.
func (s settings) checkKeyFiles() error {
	if s.keyFiles() == "" {
		return nil
	}
	folder := keys.KeyFilesFolder(s.keyFiles())
	if _, err := os.ReadDir(folder); err != nil {
		return &problem{s.places.where("authorized_keys_file"), "The files of authorized_keys_file cannot be found", err,
			"Make their folder with: mkdir -p " + folder + "\n  or name another in authorized_keys_file."}
	}
	return nil
}

// noteExpired tells whose time is over, which may well be meant.
func noteExpired(all []keys.Entrance, now time.Time, out io.Writer) {
	for _, e := range all {
		if e.Expired(now) {
			fmt.Fprintf(out, "Note: account %q expired on %s.\n", e.Account, e.Expires.Format(time.DateOnly))
		}
	}
}

// listEntrances writes, in a comment of TOML, how each account can log in.
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
