package sftp

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Entry is a file in a listing.
type Entry struct {
	Name string
	Attrs
}

// Directory tells whether it is a folder.
func (e Entry) Directory() bool { return e.Attrs.Directory() }

// Hidden tells whether the name starts with a dot.
func (e Entry) Hidden() bool { return strings.HasPrefix(e.Name, ".") }

// listing remembers what the server listed last.
type listing struct {
	mu     sync.Mutex // guards what follows
	folder string
	files  []Entry
	since  time.Time // zero if nothing is remembered
}

// fresh is how long a listing is believed. A change of our own ends that at once.
const fresh = 30 * time.Second

// List lists a folder of the server, in no order. Names that no path leads to are
// left out: a name with a slash is none, and could choose where others write.
func (c *Client) List(ctx context.Context, folder string) ([]Entry, error) {
	folder = c.Path(folder)
	all, err := c.ask.list(ctx, folder)
	if err != nil {
		return nil, c.Explain(ctx, err)
	}
	all = slices.DeleteFunc(all, func(e Entry) bool {
		return e.Name == "" || e.Name == "." || e.Name == ".." || strings.Contains(e.Name, "/")
	})
	c.listed.set(folder, all, time.Now())
	return all, nil
}

// Listed is the last listing, if it can still be believed, and of which folder.
func (c *Client) Listed() (folder string, files []Entry, ok bool) {
	c.listed.mu.Lock()
	defer c.listed.mu.Unlock()
	return c.listed.folder, c.listed.files, time.Since(c.listed.since) < fresh
}

// Forget drops the last listing, after a change.
func (c *Client) Forget() { c.listed.set("", nil, time.Time{}) }

func (l *listing) set(folder string, files []Entry, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.folder, l.files, l.since = folder, files, since
}
