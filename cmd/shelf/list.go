package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

func (s *shell) list(args []string) error {
	pattern := "*"
	if len(args) > 0 {
		pattern = args[0]
	}
	if _, err := path.Match(pattern, ""); err != nil || len(args) > 1 {
		return &exitError{exitUsage, fmt.Errorf("list takes one pattern such as *.txt")}
	}
	files, err := s.conn.ReadDir("/")
	if err != nil {
		return reason(err)
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return cmp.Compare(a.Name(), b.Name()) })
	for _, f := range files {
		if ok, _ := path.Match(pattern, f.Name()); ok {
			fmt.Fprintf(s.out, "%10s  %s  %s\n", size(f.Size()), f.ModTime().Format("2006-01-02 15:04"), printable(f.Name()))
		}
	}
	return nil
}
