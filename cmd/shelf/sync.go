package main

import "context"

// syncFolder is the command sync: it uploads what is new or changed in a folder.
func syncFolder(ctx context.Context, s *session, o *flags, args []string) error {
	if len(args) != 1 {
		return usageErrorf("which folder? sync DIR")
	}
	return s.mover(o).Sync(ctx, args[0])
}
