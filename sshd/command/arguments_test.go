package command

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                            nil,
		" \t ":                        nil,
		"md5sum":                      {"md5sum"},
		"scp -t  .":                   {"scp", "-t", "."},
		`md5sum 'a b' "c d" e\ f`:     {"md5sum", "a b", "c d", "e f"},
		`'it'\''s' "it's" 'a"b'`:      {"it's", "it's", `a"b`},
		`'a'"b"c\d`:                   {"abcd"},
		`'' "" a''`:                   {"", "", "a"},
		`"a\"b\\c\$d\e"`:              {`a"b\c$d\e`},
		`'$(id)' '` + "`id`" + `;|&'`: {"$(id)", "`id`;|&"},
		`\$\(id\)\;\|\&\>\<`:          {"$(id);|&><"},
		"'a\nb' \"c\nd\"":             {"a\nb", "c\nd"},
		"~ ~/a a~ ~bob '~'":           {".", "./a", "a~", "~bob", "~"},
		"a=b # {c,d} !e":              {"a=b", "#", "{c,d}", "!e"},
		"é 日本":                        {"é", "日本"},
	} {
		arguments, err := split(line)
		if got := texts(arguments); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
}

func texts(arguments []argument) (all []string) {
	for _, a := range arguments {
		all = append(all, a.text)
	}
	return all
}

func TestSplitRefuses(t *testing.T) {
	for _, line := range []string{
		"a; id", "a&", "a|id", "a && id", "`id`", "$(id)", "$HOME", "${HOME}", "a > b", "a < b", "(id)", "a\nid", "a\\\nid",
		`"$(id)"`, "\"`id`\"", "\"a\\\nb\"", "'a", `"a`, `"a\"`, `a\`, "a\x00b", "'\x00'", "x" + strings.Repeat(" ", maxLine),
	} {
		if arguments, err := split(line); err == nil {
			t.Errorf("%.40q is read as %q", line, texts(arguments))
		}
	}
	if _, err := split(strings.Repeat("x", maxLine)); err != nil {
		t.Error(err)
	}
}

// A quoted character is not a wildcard.
func TestPatterns(t *testing.T) {
	for line, test := range map[string]struct {
		wild         bool
		matches, not string
	}{
		"*.txt":      {true, "a.txt", "a.bin"},
		"a?":         {true, "ab", "abc"},
		"[ab]*":      {true, "b", "c"},
		"[!ab]":      {true, "c", "a"},
		"[a-c]":      {true, "b", "-"},
		"'*'.txt":    {false, "*.txt", "a.txt"},
		`\*.txt`:     {false, "*.txt", "a.txt"},
		`"?"*`:       {true, "?a", "aa"},
		"[a'-'c]":    {true, "-", "b"},
		"'[a]'*":     {true, "[a]x", "ax"},
		`'a\b'*`:     {true, `a\bc`, "abc"},
		"['!'a]":     {true, "!", "b"},
		`"["!0`:      {false, "[!0", "1"},
		"[[!]":       {true, "!", "^"},
		"[a]!":       {true, "a!", "a^"},
		"['^'a]":     {true, "^", "b"},
		"it\\'s\\ *": {true, "it's a", "its a"},
	} {
		arguments, err := split(line)
		if err != nil || len(arguments) != 1 || arguments[0].wild != test.wild {
			t.Errorf("%s: %+v, %v", line, arguments, err)
			continue
		}
		yes, err1 := path.Match(arguments[0].pattern, test.matches)
		no, err2 := path.Match(arguments[0].pattern, test.not)
		if !yes || no || err1 != nil || err2 != nil {
			t.Errorf("%s is %s: matches %q: %v %v, %q: %v %v", line, arguments[0].pattern, test.matches, yes, err1, test.not, no, err2)
		}
	}
}

// TestSplitAsAShellDoes compares with sh.
func TestSplitAsAShellDoes(t *testing.T) {
	for _, line := range []string{
		`a 'b c' "d e" f\ g`, `'it'\''s' "it's" 'a"b'`, `'' "" a''`, `"a\"b\\c\$d\e"`, `\$\(id\)\;\|\&\>\<`,
		`"\a\'" '\a\\' \a\\`, "'a\nb'", `/it\'s\ a\ \"\$name\"\ é\;\ \*.txt`, `"a"'b'\c`, "a=b {c} !e",
	} {
		out, err := exec.Command("sh", "-c", `printf '%s\0' `+line).Output()
		if err != nil {
			t.Fatal(err)
		}
		arguments, err := split(line)
		if want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(texts(arguments), want) {
			t.Errorf("%s: %q, %v; the shell says %q", line, texts(arguments), err, want)
		}
	}
}

// FuzzSplit compares with another parser of the same language, and checks that
// each pattern without wildcards matches its own text.
func FuzzSplit(f *testing.F) {
	for _, line := range []string{"a 'b c' \"d\\\"\" \\e", "~/a *.txt", "a;b", "\"$x\"", "'", "\\", "[!a]", "\x00", "\xff'\xfe'"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		arguments, err := split(line)
		if err != nil {
			return
		}
		for _, a := range arguments {
			if strings.Contains(a.text, "\x00") || !a.wild && strings.ContainsAny(a.text, "*?[") && a.text == a.pattern {
				t.Fatalf("%q: %+v", line, a)
			}
			if a.wild {
				continue
			}
			if ok, err := path.Match(a.pattern, a.text); !strings.Contains(a.text, "/") && (err != nil || !ok) {
				t.Fatalf("%q: %+v does not match itself: %v", line, a, err)
			}
		}
		want, err := shellquote.Split(line)
		if strings.Contains(line, "~") {
			return
		}
		if err != nil || !slices.Equal(texts(arguments), want) {
			t.Fatalf("%q: %q; shellquote says %q, %v", line, texts(arguments), want, err)
		}
	})
}
