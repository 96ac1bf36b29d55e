package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"shelf/cmd/shelf/sftp"
	"shelf/cmd/shelf/ui"
)

// list shows the files in the folder, or those that are named or match.
func list(ctx context.Context, s *session, o *flags, args []string) error {
	if len(args) == 0 {
		args = []string{""}
	}
	var files []sftp.Entry
	var absent []string
	why := make(map[string]error)
	seen := make(map[string]bool)
	for _, a := range args {
		some, err := s.entries(ctx, a)
		if _, known := statusOf(err); err != nil && (known || a == "" || isPattern(a)) {
			return err
		} else if err != nil {
			absent, why[a] = append(absent, a), err
		}
		for _, e := range some {
			if !seen[e.Name] {
				seen[e.Name], files = true, append(files, e)
			}
		}
	}
	o.sort(files)
	count := 0
	for _, f := range files {
		s.listOne(o, f)
		if !f.Directory() {
			count++
		}
	}
	s.ui.Event(listed{"listed", count})
	if len(files) == 0 && len(absent) == 0 {
		s.ui.Notef("no files")
	}
	return s.eachName(ctx, absent, len(args), func(_ context.Context, name string) error { return why[name] })
}

// entries is what list shows for an argument: what is in a folder, what matches a
// pattern, or one file. Each has the folder before its name that was typed.
func (s *session) entries(ctx context.Context, arg string) ([]sftp.Entry, error) {
	folder, name := path.Split(arg)
	if name == "" || name == "." || name == ".." {
		return s.inside(ctx, arg)
	}
	all, err := s.shown(ctx, folder)
	if err == nil {
		match, err := matching(all, name)
		if err != nil || isPattern(name) || len(match) == 1 && !match[0].Directory() {
			return under(folder, match), err
		}
	} else if isPattern(name) {
		return nil, err
	}
	a, unknown := s.server.Stat(ctx, s.server.Path(arg))
	switch {
	case unknown == nil && a.Directory():
		return s.inside(ctx, arg)
	case unknown == nil:
		return []sftp.Entry{{Name: arg, Attrs: a}}, nil
	case err != nil:
		return nil, err
	case errors.Is(unknown, fs.ErrNotExist):
		return nil, errNoFile
	}
	return nil, unknown
}

// inside is what is in a folder.
func (s *session) inside(ctx context.Context, folder string) ([]sftp.Entry, error) {
	all, err := s.shown(ctx, folder)
	if folder != "" && !strings.HasSuffix(folder, "/") {
		folder += "/"
	}
	return under(folder, all), err
}

// under puts a folder before names.
func under(folder string, files []sftp.Entry) (all []sftp.Entry) {
	for _, e := range files {
		e.Name = folder + e.Name
		all = append(all, e)
	}
	return all
}

// listed is what scripts are told at the end of a list, even of an empty one.
type listed struct {
	Event string `json:"event"` // listed
	Files int    `json:"files"`
}

var errNoFile = errors.New("no such file")

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

// typed is a name as it can be typed: one that starts with - would be taken for flags.
func typed(name string) string {
	if strings.HasPrefix(name, "-") {
		return "./" + name
	}
	return name
}

// listOne prints a line of the list.
func (s *session) listOne(o *flags, f sftp.Entry) {
	if s.ui.JSON && f.Directory() {
		s.ui.Event(ui.Note{Event: "folder", Name: f.Name})
		return
	}
	if s.ui.JSON {
		s.ui.Event(fileEvent{"file", f.Name, f.Size, f.Modified, ""}.utc())
		return
	}
	name, length, when := typed(f.Name), ui.Size(f.Size), f.Modified.Format("2006-01-02 15:04")
	if o.long {
		length, when = fmt.Sprint(f.Size), f.Modified.Format(time.RFC3339)
	}
	if f.Directory() {
		name, length = name+"/", "-"
	}
	if s.ui.Colour() { // sizes and times are dimmed
		fmt.Fprintf(s.ui.Out, "\x1b[2m%10s  %s\x1b[0m  %s\n", length, when, ui.Printable(name))
		return
	}
	fmt.Fprintf(s.ui.Out, "%10s  %s  %s\n", length, when, ui.Printable(name))
}
