package local

import (
	"slices"
	"sync"
)

// renames tells the listings of a library under way of the names that renames
// make, which they may have passed already.
type renames struct {
	mu        sync.Mutex
	followers []*renamed
}

// maxRenamed bounds what one listing remembers, in names. Past it the listing
// is as exact as readdir(3).
const maxRenamed = 256

// renamed is what one listing is told.
type renamed struct {
	mu    sync.Mutex
	names map[string]bool // nil until there is one; true if there is no need to look
}

func (r *renames) follow() *renamed {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := new(renamed)
	r.followers = append(r.followers, f)
	return f
}

func (r *renames) leave(f *renamed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.followers = slices.DeleteFunc(r.followers, func(g *renamed) bool { return f == g })
}

// tell is called before a rename gives a file a name; replaced is whether the
// name stands for another file, which then was there all the time.
func (r *renames) tell(name string, replaced bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.followers {
		f.add(name, replaced)
	}
}

func (f *renamed) add(name string, replaced bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names == nil {
		f.names = make(map[string]bool)
	}
	listed, ok := f.names[name]
	switch {
	case !ok && len(f.names) >= maxRenamed:
	case !replaced:
		// It may have been listed and left since, and is made again.
		f.names[name] = false
	default:
		// The folder's own entry is listed, unless it was made meanwhile, too.
		f.names[name] = listed || !ok
	}
}

// saw is told that a name was listed.
func (f *renamed) saw(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.names[name]; ok {
		f.names[name] = true
	}
}

// has tells whether a rename made this name and it was looked at.
func (f *renamed) has(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.names[name]
}

// next is a name that was not listed yet, and counts as listed from now on.
func (f *renamed) next() (name string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, listed := range f.names {
		if !listed {
			f.names[name] = true
			return name, true
		}
	}
	return "", false
}

// any tells whether there is a next.
func (f *renamed) any() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, listed := range f.names {
		if !listed {
			return true
		}
	}
	return false
}
