package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"shelf/cmd/shelf/ui"
)

// remove removes files from the server, after a question.
func remove(ctx context.Context, s *session, o *flags, args []string) error {
	if len(args) == 0 {
		return usageErrorf("which files? remove NAME...")
	}
	names, err := s.remoteNames(ctx, args)
	if err != nil {
		return err
	}
	if !o.force {
		if err := s.mayRemove(ctx, args, names); err != nil {
			return err
		}
	}
	defer s.server.Forget()
	return s.eachName(ctx, names, len(names), func(ctx context.Context, name string) error {
		if err := s.server.Remove(ctx, s.server.Path(name)); err != nil {
			return err
		}
		s.ui.Sayf("removed %s", name)
		s.ui.Event(ui.Note{Event: "removed", Name: name})
		return nil
	})
}

// mayRemove asks the person, after a check that all named files exist.
func (s *session) mayRemove(ctx context.Context, args, names []string) error {
	for _, a := range args {
		if isPattern(a) {
			continue
		}
		if _, err := s.server.Stat(ctx, s.server.Path(a)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w; nothing was removed", a, err)
		}
	}
	switch {
	case !s.ui.CanAsk():
		return errors.New("there is no terminal to ask at; --force removes without asking")
	case s.ui.Confirm(ctx, "%s", removeQuestion(names)):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return errors.New("nothing was removed")
}

// removeQuestion names a few files, or the first and the last one of many.
func removeQuestion(names []string) string {
	const few = 5
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	last := len(sorted) - 1
	switch {
	case last == 0:
		return fmt.Sprintf("Remove %s from the server?", sorted[0])
	case last < few:
		return fmt.Sprintf("Remove %s and %s from the server?", strings.Join(sorted[:last], ", "), sorted[last])
	}
	return fmt.Sprintf("Remove %d files from the server, from %s to %s?", len(sorted), sorted[0], sorted[last])
}
