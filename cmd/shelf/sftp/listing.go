package sftp

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Entry is a file in a listing.
type Entry struct {
	Name string
	Attrs
}

// listing remembers what the server listed last.
type listing struct {
	mu    sync.Mutex // guards what follows
	files []Entry
	since time.Time // zero if nothing is remembered
}

// fresh is how long a listing is believed. A change of our own ends that at once.
const fresh = 30 * time.Second

// Files lists the regular files of the folder, in no order. Files whose names
// start with a dot are left out.
func (c *Client) Files(ctx context.Context) ([]Entry, error) {
	all, err := c.ask.list(ctx, c.Folder)
	if err != nil {
		return nil, c.Explain(ctx, err)
	}
	kept := all[:0]
	for _, e := range all {
		if e.Regular() && !strings.HasPrefix(e.Name, ".") {
			kept = append(kept, e)
		}
	}
	c.listed.set(kept, time.Now())
	return kept, nil
}

// Listed is the last listing, if it can still be believed.
func (c *Client) Listed() ([]Entry, bool) {
	c.listed.mu.Lock()
	defer c.listed.mu.Unlock()
	return c.listed.files, time.Since(c.listed.since) < fresh
}

// Forget drops the last listing, after a change.
func (c *Client) Forget() { c.listed.set(nil, time.Time{}) }

func (l *listing) set(files []Entry, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files, l.since = files, since
}
