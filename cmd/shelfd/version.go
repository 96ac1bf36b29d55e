package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/arguments"
)

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
