package connect

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// sshConfig is the lines of files of ssh_config(5). For most keywords the first line
// counts. The library that matches patterns also reads files, but it fails at an
// unknown Match and at a list of quoted names, so the files are read here.
type sshConfig []setting

// setting is a line, and the Host and Match lines above it.
type setting struct {
	under []*ssh_config.Host
	key   string // in lower case
	words []string
}

// find is the values of all lines with a keyword that apply to a host.
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

// getAll is all values for a host of a keyword that can be repeated.
func (c sshConfig) getAll(host, key string) (all []string) {
	for _, words := range c.find(host, key) {
		all = append(all, strings.Join(words, " "))
	}
	return all
}

// configReader reads files of ssh_config(5).
type configReader struct {
	ui   UI
	home string
	all  sshConfig
}

// readSSHConfig reads a named file, or the one of the person and then the one of
// the system.
func readSSHConfig(u UI, named string) (sshConfig, error) {
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

// optional reads a file, if there is one that can be read.
func (r *configReader) optional(file, dir string, under []*ssh_config.Host, depth int) error {
	err := r.read(file, dir, under, depth)
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return nil
	}
	return err
}

// read reads a file that is included below some Host and Match lines. Files that it
// includes by a relative name are in dir.
func (r *configReader) read(file, dir string, under []*ssh_config.Host, depth int) error {
	const deepest = 16 // as ssh has it
	text, err := os.ReadFile(file)
	if err != nil {
		return usageErrorf("cannot read the configuration: %w", err)
	}
	if depth > deepest {
		return usageErrorf("the configuration %s includes itself; -F none reads no ssh_config", file)
	}
	block := under
	for i, line := range strings.Split(string(text), "\n") {
		key, words, err := configWords(line)
		if err != nil {
			return usageErrorf("the configuration %s, line %d: %w; -F none reads no ssh_config", file, i+1, err)
		}
		switch key {
		case "":
		case "host":
			block = append(slices.Clip(under), hostLine(words))
		case "match":
			host, ok := matchLine(words)
			if !ok {
				r.ui.Warnf("shelf: %s, line %d: the lines below \"Match %s\" are ignored; only Match host and Match all are supported", file, i+1, strings.Join(words, " "))
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

// hostLine matches the hosts that some patterns mean, and no host without patterns.
func hostLine(patterns []string) *ssh_config.Host {
	h := &ssh_config.Host{}
	for _, p := range patterns {
		if pattern, err := ssh_config.NewPattern(p); err == nil {
			h.Patterns = append(h.Patterns, pattern)
		}
	}
	return h
}

// matchLine reads a Match line, if it is about nothing but the host. "final" has no
// meaning here, since the file is read only once.
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

// configWords splits a line into its keyword and its values. Quotes keep spaces in
// a value, and # starts a comment.
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
	in := false // a word; a quoted one can be empty
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
