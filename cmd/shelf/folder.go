package main

import (
	"context"
	"fmt"

	"shelf/cmd/shelf/ui"
)

// cd goes to another folder of the server.
func cd(ctx context.Context, s *session, _ *flags, args []string) error {
	folder := s.server.Home
	switch len(args) {
	case 0:
	case 1:
		folder = s.server.Path(args[0])
	default:
		return usageErrorf("which folder? cd [FOLDER]")
	}
	a, err := s.server.Stat(ctx, folder)
	if err != nil {
		return fmt.Errorf("%s: %w", folder, s.server.Explain(ctx, err))
	}
	if !a.Directory() {
		return fmt.Errorf("%s is not a folder", folder)
	}
	s.folder, s.server.Folder, s.server.File = folder, folder, ""
	s.ui.Sayf("%s", folder)
	s.ui.Event(ui.Note{Event: "pwd", Name: folder})
	return nil
}

// pwd shows which folder of the server it is in.
func pwd(_ context.Context, s *session, _ *flags, args []string) error {
	if len(args) > 0 {
		return usageErrorf("pwd takes no arguments")
	}
	s.ui.Event(ui.Note{Event: "pwd", Name: s.server.Folder})
	if !s.ui.JSON {
		fmt.Fprintln(s.ui.Out, ui.Printable(s.server.Folder))
	}
	return nil
}
