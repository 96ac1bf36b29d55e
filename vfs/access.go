package vfs

import (
	"context"
	"crypto"
	"path"
	"slices"
	"sync/atomic"
)

// Access is an account at its library without SFTP, for other protocols that
// name files. It stands on the handlers of a [Session]: the same policy holds
// and the same events are reported. It belongs to one goroutine.
//
// Paths are those of SFTP: relative to the library, which is also the root.
// Errors are for the person at the client and name nothing of the host.
type Access struct {
	h     *handlers
	count atomic.Int32 // what is open, for other goroutines
}

// NewAccess makes one; ctx is what the Library is called with.
func NewAccess(ctx context.Context, o SessionOptions) *Access {
	o = o.complete()
	return &Access{h: newHandlers(ctx, &o, new(reasons))}
}

// OpenHandles is how many files are open now. It may be called from any
// goroutine.
func (a *Access) OpenHandles() int { return int(a.count.Load()) }

// clean is a path as pkg/sftp gives it to the handlers.
func clean(p string) string { return path.Clean("/" + p) }

// IsRoot tells whether a path is that of the library itself.
func IsRoot(p string) bool { return clean(p) == "/" }

// Exists tells whether a path is a file that the account may see.
func (a *Access) Exists(p string) bool {
	n, err := fileName(clean(p))
	if err == nil {
		_, err = a.h.stat(n)
	}
	return err == nil
}

// maxMatches bounds what a pattern may stand for, in names.
const maxMatches = 1 << 16

// Match lists the names that a pattern of [path.Match] stands for, sorted.
func (a *Access) Match(pattern string) (names []string, err error) {
	op := a.h.begin("list", "")
	defer op.finish(&err)
	files, err := a.h.files()
	if err != nil {
		return nil, err
	}
	for i, err := range files {
		if err != nil {
			return nil, err
		}
		if ok, err := path.Match(pattern, i.Name()); err != nil || !ok {
			continue
		}
		if names = append(names, i.Name()); len(names) > maxMatches {
			return nil, &Error{Kind: ErrTooMany, Why: "that stands for too many files; ask for fewer at a time"}
		}
	}
	slices.Sort(names)
	return names, nil
}

// Digest is the digest of a file's content.
func (a *Access) Digest(p string, algorithm crypto.Hash) ([]byte, error) {
	a.count.Add(1)
	defer a.count.Add(-1)
	sum, err := a.h.digest(clean(p), algorithm)
	return sum, a.h.refuse("digest", p, err)
}
