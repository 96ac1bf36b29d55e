package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

func (s *shell) remove(ctx context.Context, o *choices, args []string) error {
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
	defer s.names.forget()
	return s.eachName(ctx, names, len(names), func(ctx context.Context, name string) error {
		if err := s.remote.ask.remove(ctx, s.remote.path(name)); err != nil {
			return err
		}
		s.sayf("removed %s", printable(name))
		s.event(note{Event: "removed", Name: name})
		return nil
	})
}

// mayRemove asks, once it is known that there is what was named.
func (s *shell) mayRemove(ctx context.Context, args, names []string) error {
	for _, a := range args {
		if isPattern(a) {
			continue
		}
		if _, err := s.remote.ask.stat(ctx, s.remote.path(a)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w; nothing was removed", printable(a), err)
		}
	}
	switch {
	case !s.canAsk():
		return errors.New("there is no terminal to ask at; --force removes without asking")
	case s.confirm(ctx, removeQuestion(names)):
		return nil
	case ctx.Err() != nil:
		return errInterrupted
	}
	return errors.New("nothing was removed")
}

// removeQuestion names the files, if they are few, or else the first and the last.
func removeQuestion(names []string) string {
	const few = 5
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	for i, n := range sorted {
		sorted[i] = printable(n)
	}
	last := len(sorted) - 1
	switch {
	case last == 0:
		return fmt.Sprintf("Remove %s from the server?", sorted[0])
	case last < few:
		return fmt.Sprintf("Remove %s and %s from the server?", strings.Join(sorted[:last], ", "), sorted[last])
	}
	return fmt.Sprintf("Remove %d files from the server, from %s to %s?", len(sorted), sorted[0], sorted[last])
}
