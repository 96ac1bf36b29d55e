package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"shelf/cmd/shelfd/arguments"
)

// manCommand writes manual pages, from the same texts as the help.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man [COMMAND]",
		Short: "Write the manual page of shelfd, or of one of its commands",
		Long:  "Write a manual page. To read one: shelfd man serve | man -l -",
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(c.Root(), args)
			}
			about.DisableAutoGenTag = true // it would name the generator
			title := strings.ReplaceAll(strings.ToUpper(about.CommandPath()), " ", "-")
			return doc.GenMan(about, &doc.GenManHeader{Title: title, Section: "8", Source: "Shelf"}, c.OutOrStdout())
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  arguments.None,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), version())
			return err
		},
	}
}

// commit is what the Makefile sets when it builds from a git checkout.
var commit string

// version is the version of the program and of Go, and the system it is for.
func version() string {
	version := commit
	if info, ok := debug.ReadBuildInfo(); version == "" && ok {
		version = info.Main.Version // of go install
	}
	return fmt.Sprintf("shelfd %s, %s, %s/%s", cmp.Or(version, "(unknown)"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
