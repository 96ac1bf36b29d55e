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
	if err := s.enter(ctx, folder); err != nil {
		return err
	}
	s.ui.Sayf("%s", folder)
	s.ui.Event(ui.Note{Event: "pwd", Name: folder})
	return nil
}

// enter goes to a folder of the server.
func (s *session) enter(ctx context.Context, folder string) error {
	a, err := s.server.Stat(ctx, folder)
	if err != nil {
		return fmt.Errorf("%s: %w", folder, s.server.Explain(ctx, err))
	}
	if !a.Directory() {
		return fmt.Errorf("%s is not a folder", folder)
	}
	s.folder, s.server.Folder, s.server.File = folder, folder, ""
	return nil
}

// visit goes to a folder of the server for one command, and back; "" is the one
// where it is.
func (s *session) visit(ctx context.Context, folder string) (back func(), err error) {
	if folder == "" {
		return func() {}, nil
	}
	was, at := s.folder, s.server.Folder
	if err := s.enter(ctx, s.server.Path(folder)); err != nil {
		return nil, err
	}
	return func() { s.folder, s.server.Folder = was, at }, nil
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
