package main

import (
	"context"

	"shelf/cmd/shelf/transfer"
)

// get downloads files into a folder.
func get(ctx context.Context, s *session, o *flags, args []string) error {
	dir := "."
	if n := len(args); n > 2 && args[n-2] == "to" {
		dir, args = args[n-1], args[:n-2]
	}
	if len(args) == 0 {
		return usageErrorf("which files? get NAME... [to DIR]")
	}
	names, err := s.remoteNames(ctx, args)
	if err != nil {
		return err
	}
	return s.mover(o).Get(ctx, names, dir)
}

// mover moves files with the flags of a command.
func (s *session) mover(o *flags) *transfer.Mover {
	return &transfer.Mover{Options: o.options(s.ui.Quiet), Server: s.server, Addr: s.addr, UI: s.ui, Bars: s.bars}
}

// bars shows progress bars, if there is a terminal for them.
func (s *session) bars(files int) (bar func(string) transfer.Bar, end func()) {
	b := s.ui.NewBars(files)
	if b == nil {
		return nil, func() {}
	}
	return func(name string) transfer.Bar { return b.New(name) }, b.End
}
