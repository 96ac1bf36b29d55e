package ui

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
)

// lastWord is the last word of a line, without quotes, and where it starts.
func lastWord(line string) (from int, word string) {
	var b strings.Builder
	quote, in := byte(0), false
	for i := 0; i < len(line); i++ {
		ch := line[i]
		switch {
		case ch == '\\' && quote != '\'' && i+1 < len(line):
			if !in {
				from, in = i, true
			}
			i++
			b.WriteByte(line[i])
		case quote != 0 && ch == quote:
			quote = 0
		case quote == 0 && (ch == '\'' || ch == '"'):
			if !in {
				from, in = i, true
			}
			quote = ch
		case quote == 0 && ch == ' ':
			in = false
			b.Reset()
		default:
			if !in {
				from, in = i, true
			}
			b.WriteByte(ch)
		}
	}
	if !in {
		return len(line), ""
	}
	return from, b.String()
}

// quoteWord escapes what would split a word, or is special to a shell.
func quoteWord(s string) string {
	var b strings.Builder
	for i, r := range s {
		if strings.ContainsRune(" \t'\"\\$`&|;<>()*?[]{}!", r) || i == 0 && r == '#' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// LocalPaths are the paths on this machine that start with a prefix. A folder ends
// in a slash.
func LocalPaths(prefix string, foldersOnly bool) (all []string) {
	if prefix == "~" {
		return []string{"~/"}
	}
	dir, start := filepath.Split(prefix)
	entries, err := os.ReadDir(cmp.Or(ExpandHome(dir), "."))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, start) || start == "" && strings.HasPrefix(name, ".") || name != Printable(name) {
			continue
		}
		info, err := os.Stat(filepath.Join(cmp.Or(ExpandHome(dir), "."), name))
		switch {
		case err == nil && info.IsDir():
			all = append(all, dir+name+string(filepath.Separator))
		case err == nil && !foldersOnly && info.Mode().IsRegular():
			all = append(all, dir+name)
		}
	}
	return all
}

// ExpandHome replaces ~ and ~/ at the start of a path, as a POSIX shell does. With
// a slash no name on a server can be meant. A ~ alone can be such a name, so the
// caller must know that a local folder is meant.
func ExpandHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok && path != "~" {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	if !ok {
		return home
	}
	return filepath.Join(home, rest)
}
