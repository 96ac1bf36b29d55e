package config

import (
	"encoding"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// configFlag is the flag that names the configuration file.
const configFlag = "config"

// AddFlags adds the flag --config, and the flags of some settings, or of all
// that have one if none is named.
func AddFlags(f *pflag.FlagSet, settings ...string) {
	f.String(configFlag, "", "read settings from this TOML `file`")
	s := Defaults()
	s.bind(f, settings...)
}

// bind makes flags of settings, which set the fields of s.
func (s *Settings) bind(f *pflag.FlagSet, only ...string) {
	for _, setting := range All() {
		if setting.Flag == "" || len(only) > 0 && !slices.Contains(only, setting.Name) {
			continue
		}
		usage := strings.Replace(setting.Doc, setting.Arg, "`"+setting.Arg+"`", 1)
		if setting.Unset != "" {
			usage += " (default " + setting.Unset + ")"
		}
		field := reflect.ValueOf(s).Elem().FieldByIndex(setting.field)
		if text, ok := field.Addr().Interface().(*string); ok {
			f.StringVar(text, setting.Flag, *text, usage)
			continue
		}
		f.TextVar(field.Addr().Interface().(encoding.TextUnmarshaler), setting.Flag, field.Interface().(encoding.TextMarshaler), usage)
	}
}

// flagOf is the flag of a setting, without dashes; "" is none.
func flagOf(name string) string {
	for _, setting := range All() {
		if setting.Name == name {
			return setting.Flag
		}
	}
	return ""
}
