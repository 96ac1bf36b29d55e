package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shelf/cmd/shelf/transfer"
)

// put uploads files, or what comes from stdin.
func put(ctx context.Context, s *session, o *flags, args []string) error {
	args, folder, name := place(args)
	if len(args) == 0 {
		return usageErrorf("which files? put FILE... [to DIR] [as NAME]")
	}
	if folder != "" {
		a, err := s.server.Stat(ctx, s.server.Path(folder))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !a.Directory() {
			return fmt.Errorf("there is no folder %s on the server", folder)
		}
	}
	to := transfer.There{Folder: folder, Name: name}
	if slices.Contains(args, "-") {
		return s.putPipe(ctx, o, args, to)
	}
	files := localNames(args)
	if len(files) > 1 && name != "" {
		return usageErrorf("%d files can't all be put as %s", len(files), name)
	}
	_, err := s.mover(o).Put(ctx, files, to)
	return err
}

// putPipe uploads what comes from stdin.
func (s *session) putPipe(ctx context.Context, o *flags, args []string, to transfer.There) error {
	switch {
	case len(args) > 1 || to.Name == "":
		return usageErrorf("- is stdin, which needs a name: put - as NAME; a file of that name is ./-")
	case s.reads:
		return usageErrorf("put - would read the next commands; it works in: shelf HOST put - as NAME")
	}
	return s.mover(o).PutFrom(ctx, s.ui.In, to)
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
