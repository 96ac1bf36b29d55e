// Package history knows what a bucket that keeps versions has of the names in it: what each
// has stood for, since when it does not, and what may stay no longer.
//
//	history.go  Names: what there is, read from the lists of the store
//	rules.go    Rules: what may stay
//
// A store tells when a version was made, and not when it went. If it was replaced, the next
// version of the name was made then. If the name was removed, a marker was made then: an entry
// without content, which S3 calls a delete marker.
package history

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// Entry is a version of a name, or a marker that it stood for nothing.
type Entry struct {
	Key, ID string
	Size    int64 // bytes
	Made    time.Time
	Latest  bool // it is what the name stands for now
	Marker  bool
}

// Mark is where a page of a list begins. The zero Mark is the first one.
type Mark struct{ Key, ID string }

// Page is a page of a list: in the order of keys, and of each key the newest first. Its
// markers may come before or after its versions.
type Page struct {
	Entries []Entry
	Next    Mark // of the next page; zero is that there is none
}

// Pages reads a page.
type Pages func(ctx context.Context, from Mark) (Page, error)

// Name is what there is of a name.
type Name struct {
	Key     string
	Now     *Entry    // what it stands for now, which may be a marker; nil is not known
	Old     []Version // what it stood for before, the newest first
	Markers []Entry   // that it stood for nothing before
}

// Version is an old version of a name.
type Version struct {
	Entry
	Kept time.Time // since when: it was replaced or removed then
}

// maxOfName is how many versions and markers of a name are read. If there are more, the
// oldest are left for another time.
const maxOfName = 10_000

// errStuck is a store that begins its list again and again.
var errStuck = errors.New("the store's list of versions does not go on")

// Names yields what a list tells, name by name.
func Names(ctx context.Context, read Pages) iter.Seq2[Name, error] {
	return func(yield func(Name, error) bool) {
		var all []Entry // of the name that may go on in the next page
		for from := (Mark{}); ; {
			p, err := read(ctx, from)
			if err == nil && p.Next != (Mark{}) && p.Next == from {
				err = errStuck
			}
			if err != nil {
				yield(Name{}, err)
				return
			}
			slices.SortStableFunc(p.Entries, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
			for _, e := range p.Entries {
				if len(all) > 0 && all[0].Key != e.Key {
					if !yield(nameOf(all), nil) {
						return
					}
					all = nil
				}
				if len(all) < maxOfName {
					all = append(all, e)
				}
			}
			if from = p.Next; from == (Mark{}) {
				break
			}
		}
		if len(all) > 0 {
			yield(nameOf(all), nil)
		}
	}
}

// Of is what there is of one name. A list of keys that begin with it has it first.
func Of(ctx context.Context, key string, read Pages) (Name, error) {
	for n, err := range Names(ctx, read) {
		if err != nil || n.Key == key {
			return n, err
		}
		break
	}
	return Name{Key: key}, nil
}

// nameOf puts together what a list tells of a name.
func nameOf(all []Entry) Name {
	n := Name{Key: all[0].Key}
	seen := make(map[string]bool)
	var versions, markers []Entry
	for _, e := range all {
		switch {
		case seen[e.ID]: // a store may tell the end of a page again
		case e.Marker:
			markers = append(markers, e)
		default:
			versions = append(versions, e)
		}
		seen[e.ID] = true
		if e.Latest {
			n.Now = &e
		}
	}
	for i, v := range versions {
		if v.Latest {
			continue
		}
		next := time.Time{}
		if i > 0 {
			next = versions[i-1].Made
		}
		n.Old = append(n.Old, Version{v, keptSince(v, next, markers)})
	}
	for _, m := range markers {
		if !m.Latest {
			n.Markers = append(n.Markers, m)
		}
	}
	return n
}

// keptSince is when a version was replaced, by what was made next, or removed before that:
// then the first marker after it says so. Stores tell whole seconds: a marker of the same one
// may be from before, as when a file is removed and put again at once, and says nothing. It is
// never before the version was made, whatever a store says.
func keptSince(v Entry, next time.Time, markers []Entry) time.Time {
	since := next
	for _, m := range markers {
		if m.Made.After(v.Made) && (since.IsZero() || m.Made.Before(since)) {
			since = m.Made
		}
	}
	if since.Before(v.Made) {
		return v.Made
	}
	return since
}
