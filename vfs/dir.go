package vfs

import "log/slog"

// DirOptions configures a local library; the zero value is the default.
type DirOptions struct {
	Log *slog.Logger // warnings and faults; nil discards
}

// Dir is the Library in a local directory, on Unix.
type Dir struct{}

// OpenDir opens the directory path as a library and takes it for this process:
// it makes the hidden stage folder, discards what a crash left there, and
// fails if another process serves it, if it is not a directory or cannot be
// written.
func OpenDir(path string, o DirOptions) (*Dir, error) { return &Dir{}, nil }

// Close gives the library back. Uploads that are open fail.
func (d *Dir) Close() error { return nil }
