package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shelf/cmd/shelf/ui"
)

// info shows the size, time and digest of files.
func info(ctx context.Context, s *session, _ *flags, args []string) error {
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
		s.ui.Event(e.utc())
		s.showInfo(e, told > 0)
		told++
		return nil
	})
}

// describe finds out everything about a file.
func (s *session) describe(ctx context.Context, name string) (e fileEvent, err error) {
	path := s.server.Path(name)
	a, err := s.server.Stat(ctx, path)
	if err != nil {
		return e, err
	}
	if !a.Regular() {
		return e, errors.New("that is not a regular file")
	}
	if !s.server.CanSum(ctx) {
		s.ui.Detailf("%s: the server has no sha256sum, so the whole file is read", name)
	}
	sum, err := s.server.Digest(ctx, path, a.Size, nil)
	return fileEvent{"file", name, a.Size, a.Modified, sum}, err
}

// showInfo prints a file for people, with an empty line before another one.
func (s *session) showInfo(e fileEvent, another bool) {
	if s.ui.JSON {
		return
	}
	if another {
		fmt.Fprintln(s.ui.Out)
	}
	fmt.Fprintf(s.ui.Out, "name      %s\nsize      %d bytes (%s)\nmodified  %s\nsha256    %s\n",
		ui.Printable(e.Name), e.Size, ui.Size(e.Size), e.Modified.Format(time.RFC3339), e.SHA256)
}
