package library

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"shelf/keys"
	"shelf/vfs"
)

// Source is where sessions get a library from; it implements access.Source. Two
// of the same name and path are equal.
type Source struct {
	set        *Set
	name, path string
}

// Source is the library of that name, for an account.
func (s *Set) Source(name, account string) (Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.settings.AllLibraries()[name]
	if !ok {
		return Source{}, fmt.Errorf("there is no library %q", name)
	}
	if PerAccount(l.Where()) {
		if err := vfs.CheckName(account); err != nil {
			return Source{}, fmt.Errorf("%q can't be the name of a folder: %w", account, err)
		}
	}
	return Source{s, name, keys.ExpandUser(l.Where(), account)}, nil
}

// Exists tells whether the folder of the library is there: that of an account is made
// when it is first used. A bucket always is.
func (f Source) Exists() bool {
	f.set.mu.Lock()
	bucket := f.set.settings.AllLibraries()[f.name].Bucket != ""
	f.set.mu.Unlock()
	_, err := os.Lstat(f.path)
	return bucket || !errors.Is(err, fs.ErrNotExist)
}

// Hold is that of the library of a name; that of one that is not there is none.
func (s *Set) Hold(name string) vfs.Hold {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.settings.AllLibraries()[name]; ok {
		return vfs.Hold(*l.Hold)
	}
	return vfs.Hold{}
}

// Open implements access.Source.
func (f Source) Open(context.Context) (vfs.Library, func(), error) {
	h := f.set.holder(f)
	library, err := h.use()
	if err != nil {
		f.set.leave(h)
		return nil, nil, err
	}
	return library, func() { f.set.leave(h) }, nil
}

// Properties implements access.Source.
func (f Source) Properties() vfs.Properties {
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	p := vfs.Properties{AtomicRename: true, OldVersionsReadable: true, Fsync: true}
	if l, ok := f.set.settings.AllLibraries()[f.name]; ok {
		if l.Bucket != "" {
			return bucketProperties
		}
		p.Durable = l.Durability.Word == "fsync"
	}
	return p
}
