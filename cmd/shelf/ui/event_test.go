package ui

import "testing"

// What cannot be sent to a terminal is escaped in JSON, too, and JSON stays.
func TestJSONLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain é 日本":          `"plain é 日本"` + "\n",
		"\x1b[2J\u009b\u202e": `"\u001b[2J\u009b\u202e"` + "\n",
		"\U000e0001\"\\":      `"\udb40\udc01\"\\"` + "\n",
	} {
		if got := jsonLine(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
