package vfs

import (
	"fmt"
	"strings"
	"time"
)

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

// maxEventText is how much of a text of a client an event has, in bytes: any name
// that a file can have, and no more.
const maxEventText = 256

// Clip shortens a text of a client for an event or a log, and tells how long it was.
func Clip(text string) string { return ClipTo(text, maxEventText) }

// ClipTo is [Clip] for texts of more than most bytes.
func ClipTo(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(text[:most], ""), len(text))
}
