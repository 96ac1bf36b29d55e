package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

func (s *shell) list(ctx context.Context, args []string) error {
	pattern := "*"
	if len(args) > 0 {
		pattern = args[0]
	}
	if _, err := path.Match(pattern, ""); err != nil || len(args) > 1 {
		return usageErrorf("list takes one pattern, such as '*.pdf'")
	}
	files, err := s.ask.ReadDirContext(ctx, "/")
	if err != nil {
		return s.ask.explain(err)
	}
	files = slices.DeleteFunc(files, func(f fs.FileInfo) bool {
		match, _ := path.Match(pattern, f.Name())
		return !match || !f.Mode().IsRegular()
	})
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return cmp.Compare(a.Name(), b.Name()) })
	for _, f := range files {
		fmt.Fprintf(s.out, "%10s  %s  %s\n", size(f.Size()), f.ModTime().Format("2006-01-02 15:04"), printable(f.Name()))
	}
	if len(files) == 0 {
		fmt.Fprintln(s.err, "no files")
	}
	return nil
}
