package command

import (
	"errors"
	"fmt"
	"strings"
)

// argument is one argument of a command line, without its quotes.
type argument struct {
	text    string
	pattern string // the same as a pattern for path.Match; quoted characters are escaped
	wild    bool   // it has a wildcard outside quotes
}

// maxLine is the longest command line, in bytes.
const maxLine = 64 << 10

// split splits a command line into arguments, the command first, as a POSIX
// shell does (Shell Command Language, section 2.2). It knows single quotes,
// double quotes, backslashes, wildcards, and "~" for the library.
//
// Whatever would make a shell do more than run one command, such as ";" or "$",
// is an error. Taken as plain text it would mean something else than intended.
func split(line string) ([]argument, error) {
	if len(line) > maxLine {
		return nil, fmt.Errorf("the command line is longer than %d bytes", maxLine)
	}
	if strings.ContainsRune(line, 0) {
		return nil, errors.New("the command line contains a NUL character")
	}
	s := splitter{rest: line}
	for s.rest != "" {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.arguments, nil
}

// splitter splits a command line. The fields from text on are about the argument
// that is being read.
type splitter struct {
	rest      string // not read yet
	arguments []argument

	text    strings.Builder
	pattern strings.Builder
	begun   bool // something of the argument was read, if only a quote
	wild    bool
	set     set
}

// set is the position in a wildcard such as [!a-c].
type set int

const (
	outside set = iota
	opened      // just after "[", where "!" negates
	inside
)

// step reads one character, or a quoted string.
func (s *splitter) step() error {
	c := s.rest[0]
	s.rest = s.rest[1:]
	switch c {
	case ' ', '\t':
		s.end()
		return nil
	case '\'':
		return s.single()
	case '"':
		return s.double()
	case '\\':
		return s.escaped()
	case '\n', ';', '|', '&', '`', '$', '<', '>', '(', ')':
		return errShellCharacter(c)
	case '~':
		if s.home() {
			return nil
		}
	}
	s.bare(c)
	return nil
}

// errShellCharacter is the error for a character that only a shell could obey.
func errShellCharacter(c byte) error {
	return fmt.Errorf("%q means something only to a shell, and there is no shell here; put a file name that contains it in single quotes", c)
}

// bare adds a character that is not quoted. It may be part of a wildcard.
func (s *splitter) bare(c byte) {
	s.begun = true
	s.text.WriteByte(c)
	s.wild = s.wild || c == '*' || c == '?' || c == '['
	switch {
	case s.set == outside && c == '[':
		s.set = opened
	case s.set == opened && c == '!':
		c, s.set = '^', inside // path.Match writes [^a] for [!a]
	case s.set == opened:
		s.set = inside
	case s.set == inside && c == ']':
		s.set = outside
	}
	s.pattern.WriteByte(c)
}

// quoted adds quoted characters. They are never wildcards.
func (s *splitter) quoted(text string) {
	s.begun = true
	if s.set == opened && text != "" {
		s.set = inside
	}
	s.text.WriteString(text)
	for i := range len(text) {
		if strings.IndexByte(`*?[]\-^!`, text[i]) >= 0 {
			s.pattern.WriteByte('\\')
		}
		s.pattern.WriteByte(text[i])
	}
}

// home replaces "~" by "." if it stands for the home folder: at the start of an
// argument, alone or before a slash.
func (s *splitter) home() bool {
	if s.begun || s.rest != "" && !strings.ContainsRune("/ \t", rune(s.rest[0])) {
		return false
	}
	s.quoted(".")
	return true
}

// single reads the rest of a string in single quotes.
func (s *splitter) single() error {
	text, rest, ok := strings.Cut(s.rest, "'")
	if !ok {
		return errors.New("a single quote is not closed")
	}
	s.quoted(text)
	s.rest = rest
	return nil
}

// escaped reads the character after a backslash.
func (s *splitter) escaped() error {
	if s.rest == "" {
		return errors.New("the command line ends in a backslash")
	}
	if s.rest[0] == '\n' {
		return errShellCharacter('\n')
	}
	s.quoted(s.rest[:1])
	s.rest = s.rest[1:]
	return nil
}

// double reads the rest of a string in double quotes. In there a backslash is an
// ordinary character, unless the next one is special in double quotes.
func (s *splitter) double() error {
	s.quoted("")
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == '"':
			return nil
		case c == '$' || c == '`':
			return errShellCharacter(c)
		case c == '\\' && s.rest != "" && strings.IndexByte("$`\"\\\n", s.rest[0]) >= 0:
			if err := s.escaped(); err != nil {
				return err
			}
		default:
			s.quoted(string([]byte{c}))
		}
	}
	return errors.New("a double quote is not closed")
}

// end ends the argument, if one has begun.
func (s *splitter) end() {
	if s.begun {
		s.arguments = append(s.arguments, argument{s.text.String(), s.pattern.String(), s.wild})
	}
	s.text.Reset()
	s.pattern.Reset()
	s.begun, s.wild, s.set = false, false, outside
}
