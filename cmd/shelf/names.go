package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"shelf/cmd/shelf/sftp"
	"shelf/cmd/shelf/ui"
)

func isPattern(s string) bool { return strings.ContainsAny(s, "*?[") }

// remoteNames replaces each pattern by the names that match it, unless it is itself the
// name of a file. A name from a URL is never a pattern.
func (s *session) remoteNames(ctx context.Context, args []string) (all []string, err error) {
	var files []sftp.Entry
	for _, a := range args {
		if !isPattern(a) || a == s.server.File {
			all = append(all, a)
			continue
		}
		if files == nil {
			if files, err = s.server.Files(ctx); err != nil {
				return nil, err
			}
		}
		match, err := matching(files, a)
		if err != nil {
			return nil, err
		}
		if len(match) == 0 {
			return nil, fmt.Errorf("no file matches %s", a)
		}
		for _, e := range match {
			all = append(all, e.Name)
		}
	}
	return unique(all), nil
}

// matching is the files that match a pattern of package path, or the one file that has
// the pattern as its name.
func matching(files []sftp.Entry, pattern string) (match []sftp.Entry, err error) {
	for _, e := range files {
		if e.Name == pattern {
			return []sftp.Entry{e}, nil
		}
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, usageErrorf("%s is not a valid pattern; write one such as '*.pdf'", pattern)
	}
	for _, e := range files {
		if ok, _ := path.Match(pattern, e.Name); ok {
			match = append(match, e)
		}
	}
	return match, nil
}

// eachName does something for each name, one after the other, and tells which of them
// fail. all is how many names the command has in all.
func (s *session) eachName(ctx context.Context, names []string, all int, do func(context.Context, string) error) error {
	failed, last := 0, error(nil)
	for _, name := range names {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := s.server.Explain(ctx, do(ctx, name))
		if err == nil {
			continue
		}
		failed, last = failed+1, fmt.Errorf("%s: %w", name, err)
		s.ui.Event(ui.Note{Event: "failed", Name: name, Error: err.Error()})
		if errors.Is(err, sftp.ErrLost) || ctx.Err() != nil {
			return last // all others would fail, too
		}
		if all > 1 {
			s.ui.Warnf("%v", last)
		}
	}
	if failed > 0 && all > 1 {
		return fmt.Errorf("%d of %d files failed", failed, all)
	}
	return last
}

// unique is the list without repeated names.
func unique(all []string) (once []string) {
	seen := make(map[string]bool, len(all))
	for _, s := range all {
		if !seen[s] {
			once = append(once, s)
		}
		seen[s] = true
	}
	return once
}
