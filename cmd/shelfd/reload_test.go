package main

import (
	"regexp"
	"strings"
	"testing"
)

// What a reload cannot change is said, each by its name and place.
func TestCheckSame(t *testing.T) {
	const (
		top    = "listen = \":2222\"\nstate = \"/s\"\n"
		tables = "[libraries.a]\npath = \"/a\"\n[libraries.b]\npath = \"/b\"\n"
		later  = ", which counts when the server is started again"
	)
	was, err := settleArgs(t, top+tables)
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct{ after, want string }{
		"what a reload can change": {top + "max_sessions = 3\n" + tables, ""},
		"an address":               {strings.Replace(top, "2222", "2223", 1) + tables, "1:1: listen is now :2223" + later},
		"a path":                   {top + strings.Replace(tables, "/b", "/c", 1), "6:1: libraries.b.path is now /c" + later},
		"a library more":           {top + tables + "[libraries.c]\npath = \"/c\"\n", "8:1: the library \"c\" is new" + later},
		"a library less":           {top + "[libraries.a]\npath = \"/a\"\n", "3:2: the library \"b\" is gone" + later},
		"several": {top + "audit_log = \"/l\"\nsandbox = \"off\"\nquota = 5\n" + tables, "3:1: audit_log is now /l" + later +
			"\n4:1: sandbox is now off" + later + "\n7:1: how the library \"a\" is kept has changed" + later +
			"\n9:1: how the library \"b\" is kept has changed" + later},
	} {
		next, err := settleArgs(t, test.after)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := was.checkSame(next); err != nil {
			got = regexp.MustCompile(`\S*shelfd\.toml:`).ReplaceAllString(err.Error(), "")
		}
		if got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", what, got, test.want)
		}
	}
}
