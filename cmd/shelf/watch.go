package main

import "context"

// watch uploads what is in a folder, and what comes into it.
func watch(ctx context.Context, s *session, o *flags, args []string) error {
	args, folder, name := place(args)
	if len(args) != 1 || name != "" {
		return usageErrorf("which folder? watch DIR [to FOLDER]")
	}
	back, err := s.visit(ctx, folder)
	if err != nil {
		return err
	}
	defer back()
	m := s.mover(o)
	m.Connect = s.connected
	return m.Watch(ctx, args[0])
}
