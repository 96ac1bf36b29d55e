package main

import (
	"context"
	"fmt"
)

func (s *shell) rename(ctx context.Context, o *choices, args []string) error {
	if len(args) != 2 {
		return usageErrorf("which file, and how is it to be called? rename NAME NEW-NAME")
	}
	defer s.names.forget()
	from, to := s.remote.path(args[0]), s.remote.path(args[1])
	var err error
	if o.force {
		err = s.remote.publish(ctx, from, to)
	} else {
		err = s.remote.ask.explain(ctx, s.remote.ask.rename(ctx, from, to))
	}
	if err != nil {
		return fmt.Errorf("%s to %s: %w", printable(args[0]), printable(args[1]), err)
	}
	s.sayf("renamed %s to %s", printable(args[0]), printable(args[1]))
	s.event(struct {
		Event string `json:"event"`
		Name  string `json:"name"`
		To    string `json:"to"`
	}{"renamed", args[0], args[1]})
	return nil
}
