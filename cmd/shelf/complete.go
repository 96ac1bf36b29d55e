package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// completion is what may stand at the end of a line.
type completion struct {
	from  int      // where in the line the word starts
	words []string // as they may go on; plain
	typed string   // what is there of it, plain
}

// complete finds what may stand in the place of the last word.
func (e *editor) complete(line string) completion {
	from, typed := lastWord(line)
	c := completion{from: from, typed: typed}
	before := strings.Fields(line[:from])
	if len(before) == 0 {
		c.words = startingWith(commandWords(), typed)
		return c
	}
	cmd, err := find(before[0])
	if err != nil {
		return c
	}
	switch takes := cmd.takes; {
	case strings.HasPrefix(typed, "-"):
		c.words = startingWith(cmd.flagWords(), typed)
	case takes == commandNames:
		c.words = startingWith(commandWords(), typed)
	case takes == localFiles, wantsFolder(before):
		c.words = localPaths(typed, takes != localFiles)
	case takes == remoteNames:
		c.words = startingWith(e.remoteWords(), typed)
	}
	return c
}

// wantsFolder tells whether the word after these is a folder here.
func wantsFolder(before []string) bool {
	c, err := find(before[0])
	return err == nil && (c.takes == localFolders || before[len(before)-1] == "to")
}

// lastWord is the word that a line ends in, unquoted, and where it starts.
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

// common is what all the words have in common, quoted as the line needs it, if
// that is more than is typed; one that is alone is ended with a space.
func (c completion) common() string {
	if len(c.words) == 0 {
		return ""
	}
	same := c.words[0]
	for _, w := range c.words[1:] {
		for !strings.HasPrefix(w, same) {
			same = same[:len(same)-1]
		}
	}
	same = strings.ToValidUTF8(same, "")
	if len(c.words) == 1 && !strings.HasSuffix(same, string(filepath.Separator)) {
		return quoteWord(same) + " "
	}
	if len(same) <= len(c.typed) {
		return ""
	}
	return quoteWord(same)
}

// quoteWord escapes what splits words or is special to a shell.
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

func startingWith(words []string, prefix string) (some []string) {
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			some = append(some, w)
		}
	}
	slices.Sort(some)
	return some
}

func commandWords() (all []string) {
	for _, c := range commands() {
		all = append(all, c.name)
	}
	return all
}

// localPaths are the paths that begin so. A folder ends in a slash.
func localPaths(prefix string, foldersOnly bool) (all []string) {
	if prefix == "~" {
		return []string{"~/"}
	}
	dir, start := filepath.Split(prefix)
	entries, err := os.ReadDir(firstOf(expandHome(dir), "."))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, start) || start == "" && strings.HasPrefix(name, ".") || name != printable(name) {
			continue
		}
		info, err := os.Stat(filepath.Join(firstOf(expandHome(dir), "."), name))
		switch {
		case err == nil && info.IsDir():
			all = append(all, dir+name+string(filepath.Separator))
		case err == nil && !foldersOnly && info.Mode().IsRegular():
			all = append(all, dir+name)
		}
	}
	return all
}

// expandHome does for a path what a POSIX shell does. Where there is a slash no
// name on a server can be meant; who has a ~ alone must know what it is.
func expandHome(path string) string {
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

// remoteWords are the names that the server lists, without those that could
// not be typed.
func (e *editor) remoteWords() (all []string) {
	files, ok := e.names.get()
	if !ok && !e.unlisted && !e.remote.ended() {
		files = e.listForTab()
	}
	for _, f := range files {
		if f.name == printable(f.name) {
			all = append(all, f.name)
		}
	}
	return all
}
