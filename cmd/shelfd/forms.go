package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// reword says in the words of the file what is said in those of Go's types, of
// a value with a key.
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
	setting, t := strings.Join(key, "."), typeOf(reflect.TypeFor[settings](), key)
	if within := strings.Contains(text, "struct field") && !strings.HasSuffix(text, t.String()); within && isTable(t) {
		return "this is another kind of value than its setting in " + setting + " takes"
	}
	return setting + " is " + form(t)
}

func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Map || t == reflect.TypeFor[penalties]() ||
		t == reflect.TypeFor[accountSettings]() || t == reflect.TypeFor[librarySettings]()
}

// typeOf is the type of a setting.
func typeOf(table reflect.Type, key []string) reflect.Type {
	switch {
	case len(key) == 0:
	case table.Kind() == reflect.Map:
		return typeOf(table.Elem(), key[1:])
	case table.Kind() == reflect.Struct:
		for _, field := range reflect.VisibleFields(table) {
			if tomlName(field) == key[0] {
				return typeOf(field.Type, key[1:])
			}
		}
	}
	return table
}

// form is how a value of a type is written.
func form(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return "a date such as 2030-12-31"
	case reflect.TypeFor[duration]():
		return `a time such as "30s"`
	case reflect.TypeFor[size]():
		return `a size such as "500MB"`
	case reflect.TypeFor[count]():
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
