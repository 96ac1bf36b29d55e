package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
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

// versions lists the old versions of a file.
func versions(ctx context.Context, s *session, _ *flags, args []string) error {
	if len(args) != 1 {
		return usageErrorf("of which file? versions NAME")
	}
	all, err := s.server.Versions(ctx, s.server.Path(args[0]))
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	table := tabwriter.NewWriter(s.ui.Out, 0, 0, 2, ' ', 0)
	for _, v := range all {
		s.ui.Event(struct {
			Event    string    `json:"event"`
			Name     string    `json:"name"`
			Version  string    `json:"version"`
			Size     int64     `json:"size"`
			Modified time.Time `json:"modified"`
		}{"version", args[0], v.ID, v.Size, v.Modified.UTC()})
		if !s.ui.JSON {
			fmt.Fprintf(table, "%s\t%s\t%s\n", ui.Printable(v.ID), ui.Size(v.Size), v.Modified.Local().Format(time.DateTime))
		}
	}
	if len(all) == 0 {
		s.ui.Notef("%s: there is no old version", args[0])
	}
	return table.Flush()
}

// restore has a file be one of its old versions again.
func restore(ctx context.Context, s *session, _ *flags, args []string) error {
	if len(args) != 2 {
		return usageErrorf("which file, and which version? restore NAME VERSION")
	}
	defer s.server.Forget()
	if err := s.server.Restore(ctx, s.server.Path(args[0]), args[1]); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	s.ui.Sayf("restored %s", args[0])
	s.ui.Event(struct {
		Event   string `json:"event"`
		Name    string `json:"name"`
		Version string `json:"version"`
	}{"restored", args[0], args[1]})
	return nil
}
