package sshd

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"
)

func TestSplitWords(t *testing.T) {
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
		words, err := splitWords(line)
		if got := texts(words); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
}

func texts(words []word) (all []string) {
	for _, w := range words {
		all = append(all, w.text)
	}
	return all
}

func TestSplitWordsRefuses(t *testing.T) {
	for _, line := range []string{
		"a; id", "a&", "a|id", "a && id", "`id`", "$(id)", "$HOME", "${HOME}", "a > b", "a < b", "(id)", "a\nid", "a\\\nid",
		`"$(id)"`, "\"`id`\"", "\"a\\\nb\"", "'a", `"a`, `"a\"`, `a\`, "a\x00b", "'\x00'", "x" + strings.Repeat(" ", maxCommand),
	} {
		if words, err := splitWords(line); err == nil {
			t.Errorf("%.40q is read as %q", line, texts(words))
		}
	}
	if _, err := splitWords(strings.Repeat("x", maxCommand)); err != nil {
		t.Error(err)
	}
}

// What is quoted is no wildcard.
func TestWordPatterns(t *testing.T) {
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
		words, err := splitWords(line)
		if err != nil || len(words) != 1 || words[0].wild != test.wild {
			t.Errorf("%s: %+v, %v", line, words, err)
			continue
		}
		yes, err1 := path.Match(words[0].pattern, test.matches)
		no, err2 := path.Match(words[0].pattern, test.not)
		if !yes || no || err1 != nil || err2 != nil {
			t.Errorf("%s is %s: matches %q: %v %v, %q: %v %v", line, words[0].pattern, test.matches, yes, err1, test.not, no, err2)
		}
	}
}

// A shell splits what we read just so.
func TestSplitWordsAsAShellDoes(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh to compare with")
	}
	for _, line := range []string{
		`a 'b c' "d e" f\ g`, `'it'\''s' "it's" 'a"b'`, `'' "" a''`, `"a\"b\\c\$d\e"`, `\$\(id\)\;\|\&\>\<`,
		`"\a\'" '\a\\' \a\\`, "'a\nb'", `/it\'s\ a\ \"\$name\"\ é\;\ \*.txt`, `"a"'b'\c`, "a=b {c} !e",
	} {
		out, err := exec.Command(sh, "-c", `printf '%s\0' `+line).Output()
		if err != nil {
			t.Fatal(err)
		}
		words, err := splitWords(line)
		if want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(texts(words), want) {
			t.Errorf("%s: %q, %v; the shell says %q", line, texts(words), err, want)
		}
	}
}

// FuzzSplitWords compares with another reader of the same language, and holds
// what is read to what may be.
func FuzzSplitWords(f *testing.F) {
	for _, line := range []string{"a 'b c' \"d\\\"\" \\e", "~/a *.txt", "a;b", "\"$x\"", "'", "\\", "[!a]", "\x00", "\xff'\xfe'"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitWords(line)
		if err != nil {
			return
		}
		for _, w := range words {
			if strings.Contains(w.text, "\x00") || !w.wild && strings.ContainsAny(w.text, "*?[") && w.text == w.pattern {
				t.Fatalf("%q: %+v", line, w)
			}
			if w.wild {
				continue
			}
			if ok, err := path.Match(w.pattern, w.text); !strings.Contains(w.text, "/") && (err != nil || !ok) {
				t.Fatalf("%q: %+v does not match itself: %v", line, w, err)
			}
		}
		want, err := shellquote.Split(line)
		if strings.Contains(line, "~") {
			return
		}
		if err != nil || !slices.Equal(texts(words), want) {
			t.Fatalf("%q: %q; shellquote says %q, %v", line, texts(words), want, err)
		}
	})
}
