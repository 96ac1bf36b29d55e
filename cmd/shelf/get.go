package main

import (
	"context"
	"path/filepath"

	"shelf/cmd/shelf/transfer"
)

// get downloads files into a folder, or one to stdout.
func get(ctx context.Context, s *session, o *flags, args []string) error {
	args, folder, name := place(args)
	stdout := len(args) == 2 && args[1] == "-"
	if stdout {
		args = args[:1]
	}
	if len(args) == 0 {
		return usageErrorf("which files? get NAME... [to DIR] [as NEW-NAME]")
	}
	m := s.mover(o)
	var names []string
	err := m.Persist(ctx, func() (err error) {
		names, err = s.remoteNames(ctx, args)
		return err
	})
	switch {
	case err != nil:
		return err
	case len(names) > 1 && (stdout || name != ""):
		return usageErrorf("%d files match %s; \"as\" and \"-\" are for one file", len(names), args[0])
	case !stdout:
		return m.Get(ctx, names, transfer.Here{Folder: filepath.Join(folder, filepath.Dir(name)), Name: base(name)})
	case folder != "" || name != "":
		return usageErrorf("to stdout or to a file? get NAME -, or get NAME [to DIR] [as NEW-NAME]")
	case s.ui.JSON:
		return usageErrorf("with --json stdout has the events, so the file can't go there")
	case s.ui.OutIsTerminal():
		return usageErrorf("get NAME - is for pipes and files, and stdout is a terminal")
	}
	return m.GetTo(ctx, names[0], s.ui.Out)
}

// base is the last element of a path, or "" for no path.
func base(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Base(path)
}

// place splits off "to FOLDER" and "as NAME" at the end of the arguments.
func place(args []string) (files []string, folder, name string) {
	for n := len(args); n > 2; n = len(args) {
		switch word, value := args[n-2], args[n-1]; {
		case word == "to" && folder == "":
			folder = value
		case word == "as" && name == "":
			name = value
		default:
			return args, folder, name
		}
		args = args[:n-2]
	}
	return args, folder, name
}

// mover moves files with the flags of a command.
func (s *session) mover(o *flags) *transfer.Mover {
	return &transfer.Mover{Options: o.options(s.ui.Quiet), Server: s.server, Addr: s.addr, Connect: s.again, UI: s.ui, Bars: s.bars}
}

// bars shows progress bars, if there is a terminal for them.
func (s *session) bars(files int) (bar func(string) transfer.Bar, end func()) {
	b := s.ui.NewBars(files)
	if b == nil {
		return nil, func() {}
	}
	return func(name string) transfer.Bar { return b.New(name) }, b.End
}
