package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shelf/cmd/shelf/sftp"
	"shelf/cmd/shelf/ui"
)

// list shows the files on the server, or those that match.
func list(ctx context.Context, s *session, o *flags, args []string) error {
	files, err := s.server.Files(ctx)
	if err != nil {
		return err
	}
	files, absent, err := anyOf(files, args)
	if err != nil {
		return err
	}
	o.sort(files)
	for _, f := range files {
		s.listOne(o, f)
	}
	s.ui.Event(listed{"listed", len(files)})
	if len(files) == 0 && len(absent) == 0 {
		s.ui.Notef("no files")
	}
	return s.eachName(ctx, absent, len(args), func(context.Context, string) error { return errNoFile })
}

// listed is what scripts are told at the end of a list, even of an empty one.
type listed struct {
	Event string `json:"event"` // listed
	Files int    `json:"files"`
}

var errNoFile = errors.New("no such file")

// anyOf is the files that match one of the patterns, or all files without patterns.
// Names that are no patterns and match no file are absent.
func anyOf(files []sftp.Entry, patterns []string) (some []sftp.Entry, absent []string, err error) {
	if len(patterns) == 0 {
		return slices.Clone(files), nil, nil
	}
	seen := make(map[string]bool)
	for _, p := range patterns {
		match, err := matching(files, p)
		if err != nil {
			return nil, nil, err
		}
		if len(match) == 0 && !isPattern(p) {
			absent = append(absent, p)
		}
		for _, e := range match {
			if !seen[e.Name] {
				seen[e.Name], some = true, append(some, e)
			}
		}
	}
	return some, absent, nil
}

func (o *flags) sort(files []sftp.Entry) {
	slices.SortFunc(files, func(a, b sftp.Entry) int {
		order := cmp.Compare(a.Name, b.Name)
		switch {
		case o.byTime:
			order = cmp.Or(b.Modified.Compare(a.Modified), order)
		case o.bySize:
			order = cmp.Or(cmp.Compare(b.Size, a.Size), order)
		}
		if o.reverse {
			order = -order
		}
		return order
	})
}

// fileEvent is what scripts are told about a file.
type fileEvent struct {
	Event    string    `json:"event"` // file
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	SHA256   string    `json:"sha256,omitempty"`
}

// utc is the event with a time in UTC, the same on every machine.
func (e fileEvent) utc() fileEvent {
	e.Modified = e.Modified.UTC()
	return e
}

// listOne prints a line of the list.
func (s *session) listOne(o *flags, f sftp.Entry) {
	if s.ui.JSON {
		s.ui.Event(fileEvent{"file", f.Name, f.Size, f.Modified, ""}.utc())
		return
	}
	length, when := ui.Size(f.Size), f.Modified.Format("2006-01-02 15:04")
	if o.long {
		length, when = fmt.Sprint(f.Size), f.Modified.Format(time.RFC3339)
	}
	if s.ui.Colour() { // sizes and times are dimmed
		fmt.Fprintf(s.ui.Out, "\x1b[2m%10s  %s\x1b[0m  %s\n", length, when, ui.Printable(f.Name))
		return
	}
	fmt.Fprintf(s.ui.Out, "%10s  %s  %s\n", length, when, ui.Printable(f.Name))
}
