package access

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"shelf/vfs"
)

// Names are which names files may get, by patterns of [path.Match]. Case does not
// matter. What has its name already keeps it.
type Names struct {
	Allowed []string // one of these; none is that all are
	Refused []string // none of these
}

// Check tells whether a file may get a name. Of the temporary name of a client it is
// the name that is meant that must be allowed, and neither may be refused.
func (n Names) Check(name string) error {
	names := []string{name}
	if _, meant, ok := temporary(name); ok && meant != "" {
		names = append(names, meant)
	}
	for _, one := range names {
		// Windows takes dots and spaces at the end of a name for nothing.
		for _, as := range []string{one, strings.TrimRight(one, ". ")} {
			if i := slices.IndexFunc(n.Refused, func(p string) bool { return like(as, p) }); i >= 0 {
				return badName("names like %s are refused here", n.Refused[i])
			}
		}
	}
	for _, one := range names {
		if len(n.Allowed) == 0 || slices.ContainsFunc(n.Allowed, func(p string) bool { return like(one, p) }) {
			return nil
		}
	}
	return badName("only names like %s are accepted here", someOf(n.Allowed))
}

func badName(format string, args ...any) error {
	return &vfs.Error{Kind: vfs.ErrName, Why: fmt.Sprintf(format, args...)}
}

// someOf lists patterns, but not too many.
func someOf(patterns []string) string {
	const most = 10
	if len(patterns) > most {
		return strings.Join(patterns[:most], ", ") + " and some more"
	}
	return strings.Join(patterns, ", ")
}

// like tells whether a name is like a pattern, in capitals or not.
func like(name, pattern string) bool {
	ok, _ := path.Match(fold(pattern), fold(name))
	return ok
}

// fold makes names equal that differ in case alone. What has several capitals or
// several small letters, as the sign of kelvin, needs both steps.
func fold(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// mayBeCalled refuses a name that a file may not get. A hidden name is that of no
// file.
func (s *Session) mayBeCalled(at place) error {
	if s.hidden(at.name) {
		return nil
	}
	for _, n := range at.in.rights.Load().names {
		if err := n.Check(at.name); err != nil {
			return err
		}
	}
	return nil
}
