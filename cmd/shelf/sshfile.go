package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// sshConfig is what files of ssh_config(5) say, line by line; the first line
// that says something counts. The library that has the patterns reads files as
// well, but none with a Match that it does not know, and no list of quoted names.
type sshConfig []setting

// setting is a line, and the lines of Host and Match that it stands under.
type setting struct {
	under []*ssh_config.Host
	key   string // in lower case
	words []string
}

// find is what the lines with a keyword say that are for a host.
func (c sshConfig) find(host, key string) (all [][]string) {
	for _, s := range c {
		other := func(h *ssh_config.Host) bool { return !h.Matches(host) }
		if s.key == strings.ToLower(key) && !slices.ContainsFunc(s.under, other) {
			all = append(all, s.words)
		}
	}
	return all
}

// get is the first value of a keyword for a host, or "".
func (c sshConfig) get(host, key string) string { return strings.Join(c.list(host, key), " ") }

// list is the first list of values of a keyword for a host.
func (c sshConfig) list(host, key string) []string {
	if all := c.find(host, key); len(all) > 0 {
		return all[0]
	}
	return nil
}

// getAll are all values of a keyword that can be repeated.
func (c sshConfig) getAll(host, key string) (all []string) {
	for _, words := range c.find(host, key) {
		all = append(all, strings.Join(words, " "))
	}
	return all
}

// configReader reads files of ssh_config(5).
type configReader struct {
	*ui
	home string
	all  sshConfig
}

// readSSHConfig reads the file that was named, or the person's and the system's.
func readSSHConfig(u *ui, named string) (sshConfig, error) {
	if named == "none" {
		return nil, nil
	}
	home, err := os.UserHomeDir()
	r := &configReader{ui: u, home: home}
	own, system := filepath.Join(home, ".ssh"), "/etc/ssh"
	if named != "" {
		err := r.read(named, own, nil, 0)
		return r.all, err
	}
	if err == nil {
		if err := r.optional(filepath.Join(own, "config"), own, nil, 0); err != nil {
			return nil, err
		}
	}
	err = r.optional(filepath.Join(system, "ssh_config"), system, nil, 0)
	return r.all, err
}

// optional reads a file if it can be read.
func (r *configReader) optional(file, dir string, under []*ssh_config.Host, depth int) error {
	err := r.read(file, dir, under, depth)
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return nil
	}
	return err
}

// read reads a file that stands under lines of Host and Match. What it includes
// without saying where lies in dir.
func (r *configReader) read(file, dir string, under []*ssh_config.Host, depth int) error {
	const deepest = 16 // as ssh has it
	text, err := os.ReadFile(file)
	if err != nil {
		return usageErrorf("the configuration is not read: %w", err)
	}
	if depth > deepest {
		return usageErrorf("the configuration %s is included by itself; -F none leaves it out", file)
	}
	block := under
	for i, line := range strings.Split(string(text), "\n") {
		key, words, err := configWords(line)
		if err != nil {
			return usageErrorf("the configuration %s, line %d: %w; -F none leaves it out", file, i+1, err)
		}
		switch key {
		case "":
		case "host":
			block = append(slices.Clip(under), hostLine(words))
		case "match":
			host, ok := matchLine(words)
			if !ok {
				r.warnf("shelf: %s, line %d: what is for \"Match %s\" is left out; Match host and all are understood", file, i+1, printable(strings.Join(words, " ")))
			}
			block = append(slices.Clip(under), host)
		case "include":
			if err := r.include(words, dir, block, depth); err != nil {
				return err
			}
		default:
			if len(words) > 0 {
				r.all = append(r.all, setting{block, key, words})
			}
		}
	}
	return nil
}

func (r *configReader) include(patterns []string, dir string, under []*ssh_config.Host, depth int) error {
	for _, p := range patterns {
		if rest, ok := strings.CutPrefix(p, "~/"); ok {
			p = filepath.Join(r.home, rest)
		} else if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		files, _ := filepath.Glob(p)
		for _, file := range files {
			if err := r.optional(file, dir, under, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// hostLine is for the hosts that patterns mean; for none if there are none.
func hostLine(patterns []string) *ssh_config.Host {
	h := &ssh_config.Host{}
	for _, p := range patterns {
		if pattern, err := ssh_config.NewPattern(p); err == nil {
			h.Patterns = append(h.Patterns, pattern)
		}
	}
	return h
}

// matchLine is a Match that is about nothing but the host. There is no second
// reading of the file here, at which final would count.
func matchLine(words []string) (h *ssh_config.Host, ok bool) {
	if len(words) > 0 && strings.EqualFold(words[0], "final") {
		words = words[1:]
	}
	if len(words) == 1 && strings.EqualFold(words[0], "all") {
		return hostLine([]string{"*"}), true
	}
	if len(words) == 2 && (strings.EqualFold(words[0], "host") || strings.EqualFold(words[0], "originalhost")) {
		return hostLine(strings.Split(words[1], ",")), true
	}
	return hostLine(nil), false
}

// configWords splits a line into its keyword and what follows: at spaces, but
// not in quotes, and up to a comment.
func configWords(line string) (key string, words []string, err error) {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return "", nil, nil
	}
	end := strings.IndexAny(line+" ", " \t=")
	key = strings.ToLower(line[:end])
	rest := []byte(strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(line[end:], " \t"), "="), " \t"))
	var word []byte
	var quote byte
	in := false // a word, which can be empty if it is quoted
	for i := 0; i < len(rest) && (rest[i] != '#' || in); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest) && strings.IndexByte(`"'\`, rest[i+1]) >= 0:
			i++
			word, in = append(word, rest[i]), true
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, in = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if in {
				words = append(words, string(word))
			}
			word, in = nil, false
		default:
			word, in = append(word, c), true
		}
	}
	if quote != 0 {
		return "", nil, errors.New("a quote is not closed")
	}
	if in {
		words = append(words, string(word))
	}
	return key, words, nil
}
