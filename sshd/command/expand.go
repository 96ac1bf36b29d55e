package command

import (
	"errors"
	"path"
)

// expand returns the paths that an argument names: those that match its
// wildcards, or the argument itself. A file whose name looks like a pattern wins
// over the pattern, as in `scp HOST:'a[1].txt'`.
func (p *process) expand(a argument) ([]string, error) {
	if !a.wild || p.Access.Exists(a.text) {
		return []string{a.text}, nil
	}
	folder, _ := path.Split(a.text)
	names, err := p.Access.Match(folder, path.Base(a.pattern), p.keep)
	if err == nil && len(names) == 0 {
		err = errors.New("no file matches")
	}
	for i := range names {
		names[i] = folder + names[i]
	}
	return names, err
}
