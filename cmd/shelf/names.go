package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"shelf/cmd/shelf/sftp"
	"shelf/cmd/shelf/ui"
)

func isPattern(s string) bool { return strings.ContainsAny(s, "*?[") }

// remoteNames replaces each pattern by the names that match it, unless it is itself the
// name of a file. Only the last part of a path is a pattern. A name from a URL is none.
func (s *session) remoteNames(ctx context.Context, args []string) (all []string, err error) {
	listed := make(map[string][]sftp.Entry)
	for _, a := range args {
		folder, pattern := path.Split(a)
		if !isPattern(pattern) || a == s.server.File {
			all = append(all, a)
			continue
		}
		files, ok := listed[folder]
		if !ok {
			if files, err = s.shown(ctx, folder); err != nil {
				return nil, err
			}
			files = slices.DeleteFunc(files, sftp.Entry.Directory)
			listed[folder] = files
		}
		match, err := matching(files, pattern)
		if err != nil {
			return nil, err
		}
		if len(match) == 0 {
			return nil, fmt.Errorf("no file matches %s", a)
		}
		for _, e := range match {
			all = append(all, folder+e.Name)
		}
	}
	return unique(all), nil
}

// shown is the files and folders in a folder of the server, without hidden ones.
func (s *session) shown(ctx context.Context, folder string) (some []sftp.Entry, err error) {
	all, err := s.server.List(ctx, folder)
	for _, e := range all {
		if (e.Regular() || e.Directory()) && !e.Hidden() {
			some = append(some, e)
		}
	}
	return some, err
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
