package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
)

// manCommand writes manual pages: of commands from the same texts as the help, of
// the configuration file from what declares the settings.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man [COMMAND|shelfd.toml]",
		Short: "Write a manual page: of shelfd, a command, or the settings",
		Long: "Write a manual page. To read one: shelfd man serve | man -l -\n\n" +
			"shelfd man shelfd.toml writes that of the configuration file.",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "shelfd.toml" {
				_, err := c.OutOrStdout().Write(md2man.Render([]byte(config.Manual())))
				return err
			}
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
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  arguments.None,
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(about())
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), version())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, for scripts")
	return c
}

// commit is what the Makefile sets when it builds from a git checkout.
var commit string

// build is what is known of a program.
type build struct {
	Program string `json:"program"`
	Version string `json:"version"` // the tag, or what git describes; "" if it is not known
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func about() build {
	version := commit
	if info, ok := debug.ReadBuildInfo(); version == "" && ok {
		version = info.Main.Version // of go install
	}
	return build{"shelfd", version, runtime.Version(), runtime.GOOS, runtime.GOARCH}
}

// version is the version of the program and of Go, and the system it is for.
func version() string {
	b := about()
	return fmt.Sprintf("%s %s, %s, %s/%s", b.Program, cmp.Or(b.Version, "(unknown)"), b.Go, b.OS, b.Arch)
}
