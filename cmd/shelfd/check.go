package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"shelf/keys"
)

func checkCommand() *cobra.Command {
	flags := defaults()
	var config string
	c := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration without serving",
		Long: "Check all that serving needs: settings, accounts and their keys, libraries, host\n" +
			"keys. Prints the settings in effect, without secrets, and how each account can\n" +
			"log in. Nothing is changed, and a server that runs is not disturbed.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := settle(config, c.Flags())
			if err != nil {
				return err
			}
			return check(s, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&config, "config", "", "read settings from this TOML `file`")
	flags.bind(c.Flags())
	return c
}

// check finds all mistakes that can be found without serving. What it found
// stands last, be it nothing.
func check(s settings, stdout, stderr io.Writer) error {
	log := newLog(stderr, s.LogFormat, s.LogLevel.Level)
	_, unread := s.openUsedCodes(log)
	accounts, err := s.openAccounts(nil, log)
	var entrances []keys.Entrance
	if err == nil {
		entrances = accounts.Entrances()
		err = s.checkEntrances(entrances)
	}
	err = errors.Join(err, unread, checkUser(s), checkApart(s), s.limits().Check(), s.checkHostKeys(), s.checkAuditLog(), s.checkListen(stderr))
	for _, name := range slices.Sorted(maps.Keys(s.libraries())) {
		err = errors.Join(err, s.probeLibrary(name))
	}
	noteExpired(entrances, time.Now(), stderr)
	if err == nil {
		err = s.show(stdout)
	}
	listEntrances(entrances, time.Now(), stdout)
	if err == nil {
		fmt.Fprintf(stdout, "#\n# No mistake was found.\n")
	}
	return err
}

// show writes the settings in effect.
func (s settings) show(out io.Writer) error {
	text, err := toml.Marshal(s.masked())
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n", text)
	}
	return err
}

// checkListen refuses what cannot be listened on. That another program does may
// well be meant, and is only noted.
func (s settings) checkListen(notes io.Writer) error {
	l, err := s.openListener()
	if err == nil {
		return l.Close()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		fmt.Fprintf(notes, "Note: %v\n  That is as it should be if it is this server that runs.\n", err)
		return nil
	}
	return err
}

// masked is the settings without what must not be shown.
func (s settings) masked() settings {
	const hidden = "(hidden)"
	s.Accounts = maps.Clone(s.Accounts)
	for name, a := range s.Accounts {
		if a.PasswordHash != "" {
			a.PasswordHash = hidden
		}
		if a.TOTPSecret != "" {
			a.TOTPSecret = hidden
		}
		s.Accounts[name] = a
	}
	return s
}
