package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Every setting says what it is, and what counts when it is not set.
func TestEverySettingIsDescribed(t *testing.T) {
	all := All()
	for _, s := range all {
		if s.Doc == "" || s.Form == "" {
			t.Errorf("%s is not described: %+v", s.Name, s)
		}
		if (s.Default == "") == (s.Unset == "") && s.Name != "libraries.NAME.path" {
			t.Errorf("%s must have either a default or a text for when it is not set: %+v", s.Name, s)
		}
		if s.Flag != "" && (s.Arg == "" || !strings.Contains(s.Doc, s.Arg)) {
			t.Errorf("%s: the argument %q is not in %q", s.Name, s.Arg, s.Doc)
		}
	}
	for _, want := range []Setting{
		{Name: "listen", Default: `":2222"`, Flag: "listen", Form: "text, in quotes"},
		{Name: "max_auth_tries", Default: "6", Form: "a number of 1 or more"},
		{Name: "per_source_penalties.max", Default: `"10m"`, Form: `a time such as "30s"`},
		{Name: "libraries.NAME.quota", Form: `a size such as "500MB"`},
		{Name: "accounts.NAME.expires", Form: "a date such as 2030-12-31"},
	} {
		if !slices.ContainsFunc(all, func(s Setting) bool {
			return s.Name == want.Name && s.Default == want.Default && s.Flag == want.Flag && s.Form == want.Form
		}) {
			t.Errorf("there is no %+v", want)
		}
	}
}

// A command gets the flags of the settings that it names, or all.
func TestAddFlags(t *testing.T) {
	few, all := pflag.NewFlagSet("", 0), pflag.NewFlagSet("", 0)
	AddFlags(few, "state")
	AddFlags(all)
	for name, want := range map[string][2]bool{
		"config": {true, true}, "state": {true, true}, "listen": {false, true}, "authorized-keys": {false, true}, "quota": {false, false},
	} {
		if got := [2]bool{few.Lookup(name) != nil, all.Lookup(name) != nil}; got != want {
			t.Errorf("--%s: got %v, want %v", name, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"library", "listen", "log_level"}
	for name, want := range map[string]string{"libary": "library", "listne": "listen", "port": "listen", "p": "listen", "loglevel": "log_level"} {
		if got := Nearest(name, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", name, got, want)
		}
	}
}
