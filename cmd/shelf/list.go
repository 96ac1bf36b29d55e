package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

func (s *shell) list(ctx context.Context, o *choices, args []string) error {
	files, err := s.files(ctx)
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
	s.event(listed{"listed", len(files)})
	if len(files) == 0 && len(absent) == 0 && !s.json && !s.quiet {
		s.warnf("no files")
	}
	return s.eachName(ctx, absent, len(args), func(context.Context, string) error { return errNoFile })
}

// listed ends a list for scripts, which may be one of nothing.
type listed struct {
	Event string `json:"event"` // listed
	Files int    `json:"files"`
}

var errNoFile = errors.New("no such file")

// anyOf are the files that match one of the patterns; without any, all. Names
// that are no patterns, and not there, are absent.
func anyOf(files []entry, patterns []string) (some []entry, absent []string, err error) {
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
			if !seen[e.name] {
				seen[e.name], some = true, append(some, e)
			}
		}
	}
	return some, absent, nil
}

func (o *choices) sort(files []entry) {
	slices.SortFunc(files, func(a, b entry) int {
		order := cmp.Compare(a.name, b.name)
		switch {
		case o.byTime:
			order = cmp.Or(b.modified.Compare(a.modified), order)
		case o.bySize:
			order = cmp.Or(cmp.Compare(b.size, a.size), order)
		}
		if o.reverse {
			order = -order
		}
		return order
	})
}

// fileEvent is a file as scripts see it.
type fileEvent struct {
	Event    string    `json:"event"` // file
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	SHA256   string    `json:"sha256,omitempty"`
}

// utc has its time in a form that is the same everywhere.
func (e fileEvent) utc() fileEvent {
	e.Modified = e.Modified.UTC()
	return e
}

func (s *shell) listOne(o *choices, f entry) {
	if s.json {
		s.event(fileEvent{"file", f.name, f.size, f.modified, ""}.utc())
		return
	}
	length, when := size(f.size), f.modified.Format("2006-01-02 15:04")
	if o.long {
		length, when = fmt.Sprint(f.size), f.modified.Format(time.RFC3339)
	}
	if s.colour() { // sizes and times step back
		fmt.Fprintf(s.out, "\x1b[2m%10s  %s\x1b[0m  %s\n", length, when, printable(f.name))
		return
	}
	fmt.Fprintf(s.out, "%10s  %s  %s\n", length, when, printable(f.name))
}
