package main

import (
	"context"

	"github.com/kballard/go-shellquote"
)

// reconnect connects again, and goes on with the transfer that was cut.
func reconnect(ctx context.Context, s *session, _ *flags, args []string) error {
	if len(args) > 0 {
		return usageErrorf("reconnect takes no arguments")
	}
	if err := s.renew(ctx); err != nil {
		return err
	}
	s.ui.Sayf("Connected to %s.", s.name)
	line := s.cut
	if s.cut = nil; line == nil {
		return nil
	}
	s.ui.Sayf("Going on with: %s", shellquote.Join(line...))
	return s.command(ctx, line)
}

// quit ends the prompt.
func quit(_ context.Context, _ *session, _ *flags, args []string) error {
	if len(args) > 0 {
		return usageErrorf("quit takes no arguments")
	}
	return errQuit
}
