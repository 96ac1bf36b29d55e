package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func (s *shell) sync(ctx context.Context, o *choices, args []string) error {
	if len(args) != 1 {
		return usageErrorf("which folder? sync DIR")
	}
	o.noLinks = true
	files, err := s.outdated(ctx, o, args[0])
	if err != nil {
		return err
	}
	if o.dryRun {
		for _, f := range files {
			s.sayf("would put %s", printable(f))
			s.event(note{Event: "would put", Name: f})
		}
		s.sayf("%s to put", count(len(files), "file"))
		return nil
	}
	if len(files) == 0 {
		s.sayf("all is there")
		return nil
	}
	return s.putFiles(ctx, o, files)
}

// outdated are the files of a folder that the server has not, or not as they
// are here.
func (s *shell) outdated(ctx context.Context, o *choices, dir string) (files []string, err error) {
	local, special, err := localFolder(dir)
	if err != nil {
		return nil, err
	}
	if len(special) > 0 && !s.quiet {
		s.warnf("Left out of %s, as links and what is no file: %s", printable(dir), someOf(special))
	}
	there, err := s.listed(ctx)
	if err != nil {
		return nil, err
	}
	for _, info := range local {
		file := filepath.Join(dir, info.Name())
		a, ok := there[info.Name()]
		open := func() (*os.File, error) {
			f, _, err := openLocal(file, openNoLink)
			return f, err
		}
		if ok && s.same(ctx, o, info.Name(), a, info, open) {
			continue
		}
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		files = append(files, file)
	}
	return files, nil
}

// listed is what the server has, by name. To an account that may not look, for
// whom there is a drop box, nothing is there.
func (s *shell) listed(ctx context.Context) (map[string]attrs, error) {
	files, err := s.files(ctx)
	if errors.Is(err, fs.ErrPermission) {
		s.warnf("What the server has is not known, so that all files are put: %v", err)
		return nil, nil
	}
	there := make(map[string]attrs, len(files))
	for _, e := range files {
		there[e.name] = e.attrs
	}
	return there, err
}

// localFolder are the files in a folder that can be on the server, and what is
// left out that looks like a file: neither hidden nor a folder.
func localFolder(dir string) (files []fs.FileInfo, special []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", printable(dir), reason(err))
	}
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil || info.IsDir() || strings.HasPrefix(info.Name(), "."):
		case info.Mode().IsRegular():
			files = append(files, info)
		default:
			special = append(special, info.Name())
		}
	}
	return files, special, nil
}

// someOf names a few, and says how many more there are.
func someOf(names []string) string {
	const few = 10
	var some []string
	for _, n := range names[:min(few, len(names))] {
		some = append(some, printable(n))
	}
	if more := len(names) - len(some); more > 0 {
		some = append(some, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(some, ", ")
}
