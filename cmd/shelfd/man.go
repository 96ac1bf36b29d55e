package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
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
