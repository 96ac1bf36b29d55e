package vfs

import (
	"log/slog"
	"time"
)

// SessionOptions is what a session is built from.
type SessionOptions struct {
	Library      Library
	Account      string // who it is: the owner of partials
	Permissions  Permissions
	MaxOpenFiles int         // handles open at once; 0 is DefaultMaxOpenFiles
	MaxFileSize  int64       // bytes; 0 is no cap
	Report       func(Event) // called as each event ends, one at a time; nil is nobody
	Buffers      *Buffers    // shared by the sessions of a server; nil is the session's own
	Log          *slog.Logger
}

// complete fills in what was left out.
func (o SessionOptions) complete() SessionOptions {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	if o.Buffers == nil {
		o.Buffers = new(Buffers)
	}
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = DefaultMaxOpenFiles
	}
	return o
}

// DefaultMaxOpenFiles is how many handles a session may hold.
const DefaultMaxOpenFiles = 256

// Permissions is what an account may do in its library.
type Permissions struct {
	List      bool // LIST, and STAT of any file
	Read      bool // OPEN for reading, digests, and STAT of any file
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
	Op       string        // "list", "get", "put", "digest", "rename", "remove" or "setstat"
	Name     string        // as the client sent it, unescaped; "" for list
	Target   string        // the new name of a rename
	Bytes    int64         // read or written by the client
	Start    time.Time     // when it began
	Duration time.Duration // until it ended
	Err      error         // nil if it was done
}
