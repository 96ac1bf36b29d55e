package ui

import (
	"path/filepath"
	"slices"
	"strings"
)

// Completion is what may stand at the end of a line.
type Completion struct {
	From  int      // where in the line the last word starts
	Typed string   // the word so far, without quotes
	Words []string // what it may become, without quotes
}

// Before splits a line into the words before the last one, and the last one.
func Before(line string) (before []string, c Completion) {
	c.From, c.Typed = lastWord(line)
	return strings.Fields(line[:c.From]), c
}

// common is what all the words begin with, quoted as the line needs it, if that
// is more than is typed. A single word is ended with a space.
func (c Completion) common() string {
	if len(c.Words) == 0 {
		return ""
	}
	same := c.Words[0]
	for _, w := range c.Words[1:] {
		for !strings.HasPrefix(w, same) {
			same = same[:len(same)-1]
		}
	}
	same = strings.ToValidUTF8(same, "")
	if len(c.Words) == 1 && !strings.HasSuffix(same, "/") && !strings.HasSuffix(same, string(filepath.Separator)) {
		return quoteWord(same) + " "
	}
	if len(same) <= len(c.Typed) {
		return ""
	}
	return quoteWord(same)
}

// StartingWith is those of the words that start with a prefix, sorted.
func StartingWith(words []string, prefix string) (some []string) {
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			some = append(some, w)
		}
	}
	slices.Sort(some)
	return some
}
