package sshd

import (
	"errors"
	"fmt"
	"strings"
)

// word is one word of a command line.
type word struct {
	text    string
	pattern string // of path.Match; what was quoted stands for itself in it
	wild    bool   // the pattern is more than the text
}

// maxCommand is the longest command line, in bytes.
const maxCommand = 64 << 10

// splitWords reads a command line as a POSIX shell splits it into words (Shell
// Command Language, section 2.2), and that is all it has of a shell: it knows
// single and double quotes and backslashes, "~" for the library, and wildcards.
// What would have a shell do more than call one program is an error, not text:
// it would mean something else than its writer thought.
func splitWords(line string) ([]word, error) {
	if len(line) > maxCommand {
		return nil, fmt.Errorf("the command line is longer than %d bytes", maxCommand)
	}
	if strings.ContainsRune(line, 0) {
		return nil, errors.New("the command line has a NUL in it")
	}
	s := splitter{rest: line}
	for s.rest != "" {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.words, nil
}

// splitter is a command line of which a part has been read.
type splitter struct {
	rest    string
	words   []word
	text    strings.Builder
	pattern strings.Builder
	begun   bool // a word has begun, if only by a quote
	wild    bool
	set     set
}

// set is where in a wildcard such as [!a-c] one is.
type set int

const (
	outside set = iota
	opened      // at its "[", after which "!" negates
	inside
)

// step reads a character that is not quoted, or all that one quotes.
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
		return meansNothing(c)
	case '~':
		if s.home() {
			return nil
		}
	}
	s.bare(c)
	return nil
}

func meansNothing(c byte) error {
	return fmt.Errorf("there is no shell here, to which %q would mean something; put a name that has it into single quotes", c)
}

// bare adds a character that may be part of a wildcard.
func (s *splitter) bare(c byte) {
	s.begun = true
	s.text.WriteByte(c)
	s.wild = s.wild || c == '*' || c == '?' || c == '['
	switch {
	case s.set == outside && c == '[':
		s.set = opened
	case s.set == opened && c == '!':
		c, s.set = '^', inside // as path.Match has it
	case s.set == opened:
		s.set = inside
	case s.set == inside && c == ']':
		s.set = outside
	}
	s.pattern.WriteByte(c)
}

// quoted adds characters that mean themselves.
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

// home reads "~" as what it stands for at the beginning of a word.
func (s *splitter) home() bool {
	if s.begun || s.rest != "" && !strings.ContainsRune("/ \t", rune(s.rest[0])) {
		return false
	}
	s.quoted(".")
	return true
}

func (s *splitter) single() error {
	text, rest, ok := strings.Cut(s.rest, "'")
	if !ok {
		return errors.New("a single quote is not closed")
	}
	s.quoted(text)
	s.rest = rest
	return nil
}

func (s *splitter) escaped() error {
	if s.rest == "" {
		return errors.New("the command line ends in a backslash")
	}
	if s.rest[0] == '\n' {
		return meansNothing('\n')
	}
	s.quoted(s.rest[:1])
	s.rest = s.rest[1:]
	return nil
}

// double reads up to the closing quote; a backslash is one except before what
// would mean something.
func (s *splitter) double() error {
	s.quoted("")
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == '"':
			return nil
		case c == '$' || c == '`':
			return meansNothing(c)
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

// end ends a word, if one has begun.
func (s *splitter) end() {
	if s.begun {
		s.words = append(s.words, word{s.text.String(), s.pattern.String(), s.wild})
	}
	s.text.Reset()
	s.pattern.Reset()
	s.begun, s.wild, s.set = false, false, outside
}
