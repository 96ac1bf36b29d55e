package ui

import "testing"

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain 日本 é":   "plain 日本 é",
		"a\x1b[2J\n":   `a\x1b[2J\x0a`,
		"\u009b\u202e": `\u009b\u202e`,
		"\xff\ufffd":   `\xff` + "\ufffd",
		"\x7f\x00":     `\x7f\x00`,
	} {
		if twice := Printable(want); twice != want {
			t.Errorf("%q is escaped again: %s", want, twice)
		}
		if got := Printable(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
