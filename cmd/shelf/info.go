package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func (s *shell) info(ctx context.Context, _ *choices, args []string) error {
	if len(args) == 0 {
		return usageErrorf("which files? info NAME...")
	}
	names, err := s.remoteNames(ctx, args)
	if err != nil {
		return err
	}
	told := 0
	return s.eachName(ctx, names, len(names), func(ctx context.Context, name string) error {
		e, err := s.describe(ctx, name)
		if err != nil {
			return err
		}
		s.event(e.utc())
		s.showInfo(e, told > 0)
		told++
		return nil
	})
}

// describe finds out all about a file.
func (s *shell) describe(ctx context.Context, name string) (e fileEvent, err error) {
	path := s.remote.path(name)
	a, err := s.remote.ask.stat(ctx, path)
	if err != nil {
		return e, err
	}
	if !a.regular() {
		return e, errors.New("that is not a regular file")
	}
	if !s.remote.digests.able(ctx) {
		s.detailf("%s: the server has no sha256sum; all of the file is read instead", printable(name))
	}
	sum, err := s.remote.digest(ctx, path, a.size, nil)
	return fileEvent{"file", name, a.size, a.modified, sum}, err
}

func (s *shell) showInfo(e fileEvent, another bool) {
	if s.json {
		return
	}
	if another {
		fmt.Fprintln(s.out)
	}
	fmt.Fprintf(s.out, "name      %s\nsize      %d bytes (%s)\nmodified  %s\nsha256    %s\n",
		printable(e.Name), e.Size, size(e.Size), e.Modified.Format(time.RFC3339), e.SHA256)
}
