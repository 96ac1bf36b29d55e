package config

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// mistakes explains why a file does not decode: where, why, and what may have
// been meant.
type mistakes struct {
	path    string
	content []byte
	decode  func([]byte) error
}

func (m mistakes) explain(err error) error {
	var strict *toml.StrictMissingError
	var at *toml.DecodeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &strict):
		return m.unknown(strict)
	case errors.As(err, &at):
		line, column := at.Position()
		if start, hint := m.withQuotes(line); hint != "" && len(at.Key()) == 0 {
			return fmt.Errorf("%s:%d:%d: %s", m.path, line, start, hint)
		}
		return fmt.Errorf("%s:%d:%d: %s", m.path, line, column, reword(at, at.Key()))
	}
	line, column := m.locate()
	return fmt.Errorf("%s:%d:%d: %s", m.path, line, column, reword(err, nil))
}

// unknown names each setting that does not exist, and the nearest that does.
func (m mistakes) unknown(strict *toml.StrictMissingError) error {
	var all []error
	for _, e := range strict.Errors {
		line, column := e.Position()
		unknown, names := settingNames(reflect.TypeFor[Settings](), e.Key())
		all = append(all, fmt.Errorf("%s:%d:%d: there is no setting %q; the nearest is %q",
			m.path, line, column, strings.Join(e.Key(), "."), Nearest(unknown, names)))
	}
	return errors.Join(all...)
}

// withQuotes shows a line with quotes around its value, if the line is right with
// them: they are easily forgotten, as in quota = 10GB. column is the value's.
func (m mistakes) withQuotes(number int) (column int, hint string) {
	before, line := cutLine(m.content, number)
	key, value, _ := strings.Cut(line, "=")
	value, _, _ = strings.Cut(value, "#")
	value = strings.TrimSpace(value)
	if value == "" || strings.ContainsAny(value, `"'{`) {
		return 0, ""
	}
	mended := strings.TrimSpace(key) + " = " + quoted(value)
	err := m.decode(append(before, mended...))
	if strict := (*toml.StrictMissingError)(nil); err != nil && !errors.As(err, &strict) {
		return 0, ""
	}
	return strings.Index(line, value) + 1, fmt.Sprintf("%s needs quotes: %s", value, mended)
}

// quoted puts a value in quotes or, if it is a list, each of its elements.
func quoted(value string) string {
	if value[0] != '[' || !strings.HasSuffix(value, "]") {
		return strconv.Quote(value)
	}
	elements := strings.Split(value[1:len(value)-1], ",")
	for i, e := range elements {
		elements[i] = strconv.Quote(strings.TrimSpace(e))
	}
	return "[" + strings.Join(elements, ", ") + "]"
}

// cutLine is what comes before a line, counted from 1, and the line.
func cutLine(content []byte, number int) (before []byte, line string) {
	for text := range bytes.Lines(content) {
		if number--; number == 0 {
			return before, string(text)
		}
		before = append(before, text...)
	}
	return before, ""
}

// placed tells whether an error says where the mistake is. It does not for a
// number that its type refuses.
func placed(err error) bool {
	var strict *toml.StrictMissingError
	var at *toml.DecodeError
	return errors.As(err, &strict) || errors.As(err, &at)
}

// locate finds the line of a mistake that is not placed, and the column of its
// value, both from 1: the first line N for which
// reading the lines 1 to N fails.
func (m mistakes) locate() (line, column int) {
	end := 0
	for text := range bytes.Lines(m.content) {
		line++
		end += len(text)
		if err := m.decode(m.content[:end]); err == nil || placed(err) {
			continue
		}
		value := text[bytes.IndexByte(text, '=')+1:]
		return line, len(text) - len(bytes.TrimLeft(value, " \t")) + 1
	}
	return line, 1
}
