package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// put uploads files.
func put(ctx context.Context, s *session, o *flags, args []string) error {
	if len(args) == 0 {
		return usageErrorf("which files? put FILE...")
	}
	_, err := s.mover(o).Put(ctx, localNames(args))
	return err
}

// localNames replaces each pattern by the files that match it, unless it is itself the
// name of a file. A shell has done that already; the prompt has not.
func localNames(args []string) (files []string) {
	for _, a := range args {
		if _, err := os.Lstat(a); err != nil && isPattern(a) {
			if match := glob(a); len(match) > 0 {
				files = append(files, match...)
				continue
			}
		}
		files = append(files, a)
	}
	return unique(files)
}

// glob is the files that a shell finds for a pattern: a hidden file only if the pattern
// starts with a dot.
func glob(pattern string) []string {
	match, err := filepath.Glob(pattern)
	if err != nil || strings.HasPrefix(filepath.Base(pattern), ".") {
		return match
	}
	return slices.DeleteFunc(match, func(f string) bool { return strings.HasPrefix(filepath.Base(f), ".") })
}
