package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// commit is what the Makefile sets when it builds from a git checkout.
var commit string

// release is the version of the program, or "" if it is not known.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if commit == "" && ok && info.Main.Version != "(devel)" {
		return info.Main.Version // of go install
	}
	return commit
}

// versionLine is the version, and what the program was built with and for.
func versionLine() string {
	return fmt.Sprintf("shelf %s, %s, %s/%s\n", cmp.Or(release(), "(unknown version)"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageErrorf("version takes no arguments")
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]string{
					"program": "shelf", "version": release(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			fmt.Fprint(c.OutOrStdout(), versionLine())
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, for scripts")
	return c
}
