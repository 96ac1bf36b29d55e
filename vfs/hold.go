package vfs

import (
	"io/fs"
	"time"
)

// A Hold keeps what is in a library: as long as it counts, no file there is replaced,
// changed, renamed or removed by anybody. New files may come. The zero Hold never
// counts.
type Hold struct {
	Always bool
	Until  time.Time
}

// Counts tells whether it counts at a moment.
func (h Hold) Counts(now time.Time) bool { return h.Always || now.Before(h.Until) }

// Refusal is the answer to who would change what is held.
func (h Hold) Refusal() error {
	why := "the library is held: new files may come, and nothing in it can be changed or removed"
	if !h.Always {
		why += " until " + h.Until.UTC().Format("2006-01-02 15:04:05") + " UTC"
	}
	return &Error{Kind: fs.ErrPermission, Why: why}
}
