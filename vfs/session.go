package vfs

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// Permissions is what an account may do in its library.
type Permissions struct {
	List      bool // LIST, and STAT of any file
	Read      bool // OPEN for reading, and STAT of any file
	Write     bool // OPEN for writing a name that does not exist
	Overwrite bool // replace, change or set attributes of a file that exists
	Rename    bool // RENAME; over a file it takes Overwrite as well
	Delete    bool // REMOVE
}

// DefaultPermissions is what an account may do when nothing else is said.
func DefaultPermissions() Permissions {
	return Permissions{List: true, Read: true, Write: true, Overwrite: true, Rename: true}
}

// An Event is one thing a session did or refused, reported when it has ended.
type Event struct {
	Op       string        // "list", "get", "put", "rename", "remove", "setstat", "open"
	Name     string        // as the client sent it, unescaped; "" for list
	Target   string        // the new name of a rename
	Bytes    int64         // read or written by the client
	Start    time.Time     // when it began
	Duration time.Duration // until it ended
	Err      error         // nil if it was done
}

// SessionOptions is what a session is built from.
type SessionOptions struct {
	Library      Library
	Account      string // who it is: the owner of partials
	Permissions  Permissions
	MaxOpenFiles int         // handles open at once; 0 is 256
	MaxFileSize  int64       // bytes; 0 is no cap
	Report       func(Event) // called for each event, from the session's goroutines one at a time; may be nil
	Log          *slog.Logger
}

// Session serves one sftp channel.
type Session struct{ o SessionOptions }

// NewSession makes a session; Serve runs it once.
func NewSession(o SessionOptions) *Session { return &Session{o} }

// Serve answers the channel's packets in order until the client ends (nil), the
// channel fails, or ctx is done. Reasons of refusals are also written to
// stderr, a line each. It does not close the channel. Uploads still open are
// aborted before it returns.
func (s *Session) Serve(ctx context.Context, channel io.ReadWriter, stderr io.Writer) error {
	return nil
}

// OpenHandles is the number of files, uploads and listings open now. It may be
// called from any goroutine: a server that is to stop waits for zero.
func (s *Session) OpenHandles() int { return 0 }
