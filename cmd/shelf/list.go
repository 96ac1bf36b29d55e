package main

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"time"
)

func (s *shell) list(ctx context.Context, o *choices, args []string) error {
	for _, a := range args {
		if _, err := path.Match(a, ""); err != nil {
			return usageErrorf("%s is no pattern; write one such as '*.pdf'", printable(a))
		}
	}
	files, err := s.files(ctx)
	if err != nil {
		return err
	}
	if files, err = anyOf(files, args); err != nil {
		return err
	}
	o.sort(files)
	for _, f := range files {
		s.listOne(o, f)
	}
	if len(files) == 0 && !s.json && !s.quiet {
		s.warnf("no files")
	}
	return nil
}

// anyOf are the files that match one of the patterns; without any, all.
func anyOf(files []entry, patterns []string) ([]entry, error) {
	if len(patterns) == 0 {
		return slices.Clone(files), nil
	}
	var some []entry
	seen := make(map[string]bool)
	for _, p := range patterns {
		match, err := matching(files, p)
		if err != nil {
			return nil, err
		}
		for _, e := range match {
			if !seen[e.name] {
				seen[e.name], some = true, append(some, e)
			}
		}
	}
	return some, nil
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

func (s *shell) listOne(o *choices, f entry) {
	if s.json {
		s.event(fileEvent{"file", f.name, f.size, f.modified.UTC(), ""})
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
