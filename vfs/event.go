package vfs

import "time"

// An Event is one thing that an account did or was refused, reported when it has
// ended.
type Event struct {
	Op       string        // "list", "get", "put", "digest", "rename", "remove" or "setstat"
	Name     string        // as the client sent it, unescaped; "" for list
	Target   string        // the new name of a rename
	Bytes    int64         // read or written by the client
	Start    time.Time     // when it began
	Duration time.Duration // until it ended
	Err      error         // nil if it was done
}
