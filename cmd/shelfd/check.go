package main

import (
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"shelf/keys"
	"shelf/vfs"
)

func checkCommand() *cobra.Command {
	flags := defaults()
	var config string
	c := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration without serving",
		Long: "Check all that serving needs: settings, accounts and their keys, libraries, host\n" +
			"keys. Prints the settings in effect, without secrets. Nothing is changed, and a\n" +
			"server that runs is not disturbed.",
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

// check finds all mistakes that can be found without serving.
func check(s settings, stdout, stderr io.Writer) error {
	_, err := s.openAccounts(nil, newLog(stderr, s.LogFormat, s.LogLevel.Level))
	err = errors.Join(err, checkUser(s), checkApart(s), s.limits().Check(), keys.CheckHostKeys(s.State))
	for _, l := range s.libraries() {
		err = errors.Join(err, s.checkOwner(l.Path), vfs.ProbeDir(l.Path))
	}
	if err != nil {
		return err
	}
	if l, err := openListener(s.Listen); err != nil {
		fmt.Fprintf(stderr, "Note: %v\n  That is as it should be if it is this server that runs.\n", err)
	} else {
		l.Close()
	}
	text, err := toml.Marshal(s.masked())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\n# No mistake was found.\n", text)
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
