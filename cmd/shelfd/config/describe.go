package config

import (
	"reflect"
	"regexp"
	"strings"
)

// A Setting describes one setting.
type Setting struct {
	Name    string // its name in the file, as "accounts.NAME.from"
	Flag    string // its flag, without dashes; "" is none
	Arg     string // the word of Doc that the flag's argument stands for
	Doc     string // what it is, as a phrase
	Default string // as it is written in the file; "" is none
	Unset   string // what counts without it, in words, if there is no default
	Form    string // how a value is written, as "a number of 1 or more"

	field []int // of Settings; nil for a setting in a table
}

// All describes every setting, in the order of the declarations.
func All() []Setting { return describe(reflect.TypeFor[Settings](), "") }

func describe(table reflect.Type, within string) (all []Setting) {
	for _, field := range reflect.VisibleFields(table) {
		name := tomlName(field)
		switch {
		case name == "":
		case field.Type.Kind() == reflect.Map && field.Type.Elem().Kind() == reflect.Struct:
			all = append(all, describe(field.Type.Elem(), within+name+".NAME.")...)
		case isTable(field.Type) && field.Type.Kind() == reflect.Struct:
			all = append(all, describe(field.Type, within+name+".")...)
		case field.Type.Kind() == reflect.Slice && isTable(field.Type.Elem()):
			all = append(all, describe(field.Type.Elem(), within+name+".")...)
		default:
			s := Setting{
				Name: within + name, Flag: field.Tag.Get("flag"), Arg: field.Tag.Get("arg"), Doc: field.Tag.Get("doc"),
				Default: literal(field.Tag.Get("default")), Unset: field.Tag.Get("unset"), Form: form(field.Type),
			}
			if within == "" {
				s.field = field.Index
			}
			all = append(all, s)
		}
	}
	return all
}

// tomlName is the name of the setting that a field declares, "" for none.
func tomlName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
	return strings.TrimPrefix(name, "-")
}

// bare are the values that TOML has without quotes.
var bare = regexp.MustCompile(`^(|0|[1-9][0-9]*|true|false|\[.*\])$`)

// literal is a value as it is written in the file.
func literal(text string) string {
	if bare.MatchString(text) {
		return text
	}
	return `"` + text + `"`
}

// settingNames finds the part of a key that is not the name of a setting, and
// the names that its table has instead.
func settingNames(table reflect.Type, key []string) (unknown string, names []string) {
	switch table.Kind() {
	case reflect.Map:
		return settingNames(table.Elem(), key[1:])
	case reflect.Slice:
		if isTable(table.Elem()) {
			return settingNames(table.Elem(), key)
		}
		return key[0], key[:1]
	case reflect.Struct:
	default:
		return key[0], key[:1]
	}
	for _, field := range reflect.VisibleFields(table) {
		name := tomlName(field)
		if name == key[0] && len(key) > 1 {
			return settingNames(field.Type, key[1:])
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return key[0], names
}

// typeOf is the type of the setting that has a key.
func typeOf(table reflect.Type, key []string) reflect.Type {
	switch {
	case len(key) == 0:
	case table.Kind() == reflect.Map:
		return typeOf(table.Elem(), key[1:])
	case table.Kind() == reflect.Slice && isTable(table.Elem()):
		return typeOf(table.Elem(), key)
	case table.Kind() == reflect.Struct:
		for _, field := range reflect.VisibleFields(table) {
			if tomlName(field) == key[0] {
				return typeOf(field.Type, key[1:])
			}
		}
	}
	return table
}
