package main

import "context"

// watch uploads what is in a folder, and what comes into it.
func watch(ctx context.Context, s *session, o *flags, args []string) error {
	if len(args) != 1 {
		return usageErrorf("which folder? watch DIR")
	}
	m := s.mover(o)
	m.Connect = s.connected
	return m.Watch(ctx, args[0])
}
