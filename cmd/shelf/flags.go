package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// flagError says what is wrong with a flag, and which one may be meant.
func flagError(f *pflag.FlagSet, err error) string {
	text := printable(strings.TrimSpace(err.Error()))
	unknown, invalid := (*pflag.NotExistError)(nil), (*pflag.InvalidValueError)(nil)
	switch {
	case errors.As(err, &invalid):
		return fmt.Sprintf("--%s %s: %s", invalid.GetFlag().Name, printable(invalid.GetValue()), printable(errors.Unwrap(invalid).Error()))
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

// dashed says how to write a name that was taken for flags.
func dashed(err error) string {
	unknown := (*pflag.NotExistError)(nil)
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() == "" {
		return ""
	}
	return fmt.Sprintf("; for a name that starts with -, write -- -%s", printable(unknown.GetSpecifiedShortnames()))
}
