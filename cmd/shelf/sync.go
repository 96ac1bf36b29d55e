package main

import "context"

// syncFolder is the command sync: it moves what is new or changed in a folder, up or
// down.
func syncFolder(ctx context.Context, s *session, o *flags, args []string) error {
	args, folder, name := place(args)
	if len(args) != 1 || name != "" {
		return usageErrorf("which folder? sync DIR [to FOLDER]")
	}
	back, err := s.visit(ctx, folder)
	if err != nil {
		return err
	}
	defer back()
	if o.down {
		return s.mover(o).Down(ctx, args[0])
	}
	return s.mover(o).Sync(ctx, args[0])
}
