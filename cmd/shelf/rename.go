package main

import (
	"context"
	"fmt"
)

// rename gives a file on the server another name.
func rename(ctx context.Context, s *session, o *flags, args []string) error {
	if len(args) != 2 {
		return usageErrorf("which file, and which new name? rename NAME NEW-NAME")
	}
	defer s.server.Forget()
	from, to := s.server.Path(args[0]), s.server.Path(args[1])
	var err error
	if o.force {
		err = s.server.Replace(ctx, from, to)
	} else {
		err = s.server.Explain(ctx, s.server.Rename(ctx, from, to))
	}
	if err != nil {
		return fmt.Errorf("%s to %s: %w", args[0], args[1], err)
	}
	s.ui.Sayf("renamed %s to %s", args[0], args[1])
	s.ui.Event(struct {
		Event string `json:"event"`
		Name  string `json:"name"`
		To    string `json:"to"`
	}{"renamed", args[0], args[1]})
	return nil
}
