package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// reword puts an error of go-toml, which speaks of Go's types, into the words
// of the file. key is the setting that it is about.
func reword(err error, key []string) string {
	text := strings.TrimPrefix(err.Error(), "toml: ")
	if rest, ok := strings.CutPrefix(text, "parsing time "); ok {
		value, _ := strconv.QuotedPrefix(rest)
		return value + " is not " + form(reflect.TypeFor[time.Time]())
	}
	ofType := strings.HasPrefix(text, "cannot decode TOML") || strings.HasPrefix(text, "cannot store") ||
		strings.Contains(text, "cannot be stored")
	if !ofType || len(key) == 0 {
		return text
	}
	setting, t := strings.Join(key, "."), typeOf(reflect.TypeFor[Settings](), key)
	if within := strings.Contains(text, "struct field") && !strings.HasSuffix(text, t.String()); within && isTable(t) {
		return "this value is of the wrong kind for its setting in " + setting
	}
	return setting + " must be " + form(t)
}

func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Map || t == reflect.TypeFor[Penalties]() || t == reflect.TypeFor[AccountLimits]() || t == reflect.TypeFor[FileAccounts]() ||
		t == reflect.TypeFor[Account]() || t == reflect.TypeFor[Library]() || t == reflect.TypeFor[Deliver]() || t == reflect.TypeFor[Gate]()
}

// form is how a value of a type is written.
func form(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return "a date such as 2030-12-31"
	case reflect.TypeFor[Duration]():
		return `a time such as "30s"`
	case reflect.TypeFor[Size]():
		return `a size such as "500MB"`
	case reflect.TypeFor[Permitted]():
		return `a table such as { in = ["dropbox"], out = ["reader"] }`
	case reflect.TypeFor[Age]():
		return `a time with a unit, such as "30d"`
	case reflect.TypeFor[Hold]():
		return `true, false, or a date in quotes, as "2032-01-01"`
	case reflect.TypeFor[Count]():
		return "a number of 1 or more"
	}
	if isTable(t) {
		return "a table"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return form(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Uint16, reflect.Uint32:
		return fmt.Sprintf("a number from 0 to %d", uint64(1)<<t.Bits()-1)
	case reflect.Slice:
		return `a list of texts, in brackets and quotes, as ["a", "b"]`
	}
	return "text, in quotes"
}
