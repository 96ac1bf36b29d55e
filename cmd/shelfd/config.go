package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// loadConfig reads a configuration file over the settings. Paths in it start
// from its own folder, so that they mean the same wherever the server is
// started; "~/" is the home of who starts it.
func (s *settings) loadConfig(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	in := settings{}
	if err := in.parse(path, content, s); err != nil {
		return err
	}
	err = in.eachPath(func(p string) (string, error) { return rebase(p, filepath.Dir(path)) })
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	in.places = make(places)
	in.places.add(path, content)
	*s = in
	return nil
}

// parse decodes the file's content; what it does not name stays as in base.
func (s *settings) parse(path string, content []byte, base *settings) error {
	decode := func(content []byte) error {
		*s = *base
		return toml.NewDecoder(bytes.NewReader(content)).DisallowUnknownFields().Decode(s)
	}
	err := decode(content)
	if err == nil || placed(err) {
		return explain(path, err)
	}
	line, column := locate(content, decode)
	return fmt.Errorf("%s:%d:%d: %s", path, line, column, reword(err, nil))
}

// placed tells whether an error says where the mistake is. It does not for a
// number that its type refuses.
func placed(err error) bool {
	var strict *toml.StrictMissingError
	var at *toml.DecodeError
	return errors.As(err, &strict) || errors.As(err, &at)
}

// locate finds the line that brings in a mistake which is not placed, and the
// column of its value, both from 1.
func locate(content []byte, decode func([]byte) error) (line, column int) {
	end := 0
	for text := range bytes.Lines(content) {
		line++
		end += len(text)
		if err := decode(content[:end]); err == nil || placed(err) {
			continue
		}
		value := text[bytes.IndexByte(text, '=')+1:]
		return line, len(text) - len(bytes.TrimLeft(value, " \t")) + 1
	}
	return line, 1
}

func rebase(path, folder string) (string, error) {
	if below, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		return filepath.Join(home, below), err
	}
	if path == "" || filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.Join(folder, path), nil
}

// explain says where in the file each mistake is, and what may have been meant.
func explain(path string, err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var all []error
		for _, e := range strict.Errors {
			line, column := e.Position()
			unknown, names := settingNames(reflect.TypeFor[settings](), e.Key())
			all = append(all, fmt.Errorf("%s:%d:%d: there is no setting %q; the nearest is %q",
				path, line, column, strings.Join(e.Key(), "."), nearest(unknown, names)))
		}
		return errors.Join(all...)
	}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, column := at.Position()
		return fmt.Errorf("%s:%d:%d: %s", path, line, column, reword(at, at.Key()))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// settingNames finds the part of a key that no setting has, and the names that
// may stand in its place: those of its table.
func settingNames(table reflect.Type, key []string) (unknown string, names []string) {
	switch table.Kind() {
	case reflect.Map:
		return settingNames(table.Elem(), key[1:])
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

// tomlName is the name of the setting in a field, "" for none.
func tomlName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
	return name
}

// nearest is the name that takes the fewest edits to reach.
func nearest(name string, names []string) string {
	best := names[0]
	for _, n := range names {
		if edits(name, n) < edits(name, best) {
			best = n
		}
	}
	return best
}

// edits counts the letters to insert, remove or replace to make b of a
// (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
