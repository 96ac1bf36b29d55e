package main

import (
	"context"
	"errors"
	"fmt"
)

func (s *shell) remove(ctx context.Context, o *choices, args []string) error {
	if len(args) == 0 {
		return usageErrorf("which files? remove NAME...")
	}
	names, err := s.remoteNames(ctx, args)
	if err != nil {
		return err
	}
	if !o.force && !s.confirm(ctx, removeQuestion(names)) {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return errors.New("nothing was removed; --force does not ask")
	}
	defer s.names.forget()
	return s.eachName(ctx, names, func(ctx context.Context, name string) error {
		if err := s.remote.ask.remove(ctx, s.remote.path(name)); err != nil {
			return err
		}
		s.sayf("removed %s", printable(name))
		s.event(struct {
			Event string `json:"event"`
			Name  string `json:"name"`
		}{"removed", name})
		return nil
	})
}

func removeQuestion(names []string) string {
	if len(names) == 1 {
		return fmt.Sprintf("Remove %s from the server?", printable(names[0]))
	}
	return fmt.Sprintf("Remove %d files from the server, from %s to %s?", len(names), printable(names[0]), printable(names[len(names)-1]))
}
