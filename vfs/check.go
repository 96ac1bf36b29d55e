package vfs

import (
	"context"
	"io"
	"os"
)

// A Check judges what is about to be published. An error keeps it from being
// published, and is what the client hears. It may take long, and ends with ctx.
type Check func(ctx context.Context, s Staged) error

// Staged is content that is about to be published: whole, and changed by nobody as
// long as its Check runs.
type Staged struct {
	Name    string      // that it would be published under
	Size    int64       // bytes
	Content io.ReaderAt // of Size bytes

	// Open opens it once more, for reading alone, at its beginning. Where one file
	// ends up being read does not move another. It is nil where the store has no file.
	Open func() (*os.File, error)
}

// Checker is implemented by an [Upload] that can ask its [CreateOptions.Check]
// before Commit does.
type Checker interface {
	// Check asks it about what a Commit now would publish. Without a Check, or if
	// Commit would publish no content, the error is nil.
	Check(ctx context.Context) error
}

// Run asks a Check, which may be nil.
func (c Check) Run(ctx context.Context, s Staged) error {
	if c == nil {
		return nil
	}
	return c(ctx, s)
}
