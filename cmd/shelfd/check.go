package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/deliver"
	"shelf/cmd/shelfd/gates"
	"shelf/cmd/shelfd/library"
	"shelf/cmd/shelfd/logging"
	"shelf/vfs"
)

func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration without serving",
		Long: "Check all that serving needs: settings, accounts and their keys, libraries, host\n" +
			"keys. Prints the settings in effect, without secrets, and how each account can\n" +
			"log in. Nothing is changed, and a server that runs is not disturbed.",
		Args: arguments.None,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := config.Load(c.Flags())
			if err != nil {
				return err
			}
			return check(s, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	config.AddFlags(c.Flags())
	return c
}

// check finds every mistake that can be found without serving. If it finds none,
// the last line says so.
func check(s config.Settings, stdout, stderr io.Writer) error {
	all := newServer(s, logging.New(stderr, s.LogFormat, s.LogLevel.Level), stderr)
	err := errors.Join(all.check(), deliver.Check(s, stderr))
	entrances := all.accounts.entrances
	noteExpired(entrances, time.Now(), stderr)
	if err == nil {
		err = show(s, stdout)
	}
	listFindings(s, stdout)
	listScanners(s, stdout)
	listEntrances(entrances, time.Now(), stdout)
	if err == nil {
		fmt.Fprintf(stdout, "#\n# No mistake was found.\n")
	}
	return err
}

// show prints the settings in effect.
func show(s config.Settings, out io.Writer) error {
	text, err := s.Show()
	_, failed := fmt.Fprintf(out, "%s\n", text)
	return errors.Join(err, failed)
}

// scannerTimeout is how long all scanners may take to say that they are there.
const scannerTimeout = 10 * time.Second

// listScanners prints whether the scanners of gates answer. That one does not is no
// mistake in the settings: it may come later.
func listScanners(s config.Settings, out io.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), scannerTimeout)
	defer cancel()
	for _, f := range gates.Ask(ctx, s) {
		says := vfs.Escape(vfs.Clip(f.Says))
		if f.Err != nil {
			says = "NO ANSWER: " + vfs.Escape(vfs.Clip(f.Err.Error()))
		}
		fmt.Fprintf(out, "#\n# The gate of library %s, %s: %s\n", f.Library, f.Path, says)
	}
}

// listFindings prints what the stores of libraries in buckets do of what a library
// needs.
func listFindings(s config.Settings, out io.Writer) {
	for _, name := range s.LibraryNames() {
		l := s.AllLibraries()[name]
		if l.Bucket == "" {
			continue
		}
		found, err := library.Findings(s, l)
		if err != nil && len(found) == 0 {
			continue // the part libraries says so
		}
		fmt.Fprintf(out, "#\n# The store of %s, library %s:\n", l.Bucket, name)
		for _, f := range found {
			what := "yes"
			if !f.Holds {
				what = fmt.Sprintf("no (%s): %s", f.Answer, f.Lost)
			}
			fmt.Fprintf(out, "#   %-28s %s\n", f.Name, what)
		}
	}
}
