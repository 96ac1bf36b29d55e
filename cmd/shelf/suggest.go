package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// missing says why there is no command of a name that people may expect.
func missing(word string) string {
	switch word {
	case "mkdir", "md", "rmdir", "rd":
		return "a library of Shelf has no folders, so shelf makes and removes none; for other servers there is sftp"
	}
	return ""
}

// nearest is the name that a mistyped word may mean, or "". Cobra finds names that
// differ in few letters, or that start with the word; one letter is better than two.
func nearest(word string, names []string) string {
	if len(word) < 2 {
		return ""
	}
	for distance := 1; distance <= 2; distance++ {
		c := &cobra.Command{SuggestionsMinimumDistance: distance}
		for _, name := range names {
			if len(name) > distance {
				c.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
			}
		}
		if near := c.SuggestionsFor(word); len(near) > 0 {
			return near[0]
		}
	}
	return ""
}

// flagError says what is wrong with a flag, and which one may be meant.
func flagError(f *pflag.FlagSet, err error) string {
	text := strings.TrimSpace(err.Error())
	unknown, invalid := (*pflag.NotExistError)(nil), (*pflag.InvalidValueError)(nil)
	switch {
	case errors.As(err, &invalid):
		return fmt.Sprintf("--%s %s: %v", invalid.GetFlag().Name, invalid.GetValue(), errors.Unwrap(invalid))
	case !errors.As(err, &unknown), unknown.GetSpecifiedShortnames() != "":
		return text
	}
	var names []string
	f.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := nearest(unknown.GetSpecifiedName(), names); near != "" {
		return fmt.Sprintf("%s; did you mean --%s?", text, near)
	}
	return text
}

// dashed says how to write a name with a dash in front, if it was taken for flags.
func dashed(err error) string {
	unknown := (*pflag.NotExistError)(nil)
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() == "" {
		return ""
	}
	return fmt.Sprintf("; for a name that starts with -, write -- -%s", unknown.GetSpecifiedShortnames())
}
