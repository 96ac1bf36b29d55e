package library

import (
	"shelf/cmd/shelfd/config"
	"shelf/vfs"
	"shelf/vfs/local"
)

// This file alone opens stores, and knows of which kind one is.

// store is a library that is open.
type store interface {
	vfs.Library
	Close() error
	// IsAt tells whether it still is what lies there.
	IsAt(path string) bool
}

// open opens the library of a Source.
func (s *Set) open(from Source) (store, error) {
	s.mu.Lock()
	settings := s.settings
	l, ok := settings.AllLibraries()[from.name]
	o := s.options(l)
	s.mu.Unlock()
	if !ok {
		return nil, errGone
	}
	if l.Bucket != "" {
		return s.openBucket(settings, l, from.path)
	}
	if err := CheckOwner(settings, from.path); err != nil {
		return nil, err
	}
	return openFolder(l, from.path, o)
}

func openFolder(l config.Library, path string, o local.Options) (store, error) {
	if !PerAccount(l.Path) {
		return orNil(local.Open(path, o))
	}
	folder, err := makeFolder(Prefix(l.Path), path, l.FolderMode.FileMode)
	if err != nil {
		return nil, err
	}
	return orNil(local.OpenFolder(folder, path, o))
}

// orNil is a library as a store; a nil *Dir is not a nil store.
func orNil(dir *local.Dir, err error) (store, error) {
	if err != nil {
		return nil, err
	}
	return dir, nil
}

// Probe tells whether a library could be opened, and leaves it alone.
func Probe(s config.Settings, l config.Library) error {
	if l.Bucket != "" {
		_, err := Findings(s, l)
		return err
	}
	return local.Probe(Prefix(l.Path))
}

// options is how a library keeps its files. mu is held.
func (s *Set) options(l config.Library) local.Options {
	if l.Durability == nil {
		return local.Options{}
	}
	return local.Options{
		Durability:   local.Durability(l.Durability.Word),
		Quota:        l.Quota.Bytes,
		MaxFiles:     int64(*l.MaxFiles),
		AccountQuota: l.AccountQuota.Bytes,
		MinFreeSpace: l.MinFreeSpace.Bytes,

		Umask:          s.umask,
		FileMode:       l.FileMode.FileMode,
		AllowHardLinks: *l.AllowHardLinks,
		Versions:       local.VersionRules{PerName: int(*l.KeepVersions), MaxAge: l.KeepVersionsFor.Duration},
		Hold:           vfs.Hold(*l.Hold),
		Partials: &local.PartialRules{
			MinSize:    s.settings.PartialMinSize.Bytes,
			MaxAge:     s.settings.PartialMaxAge.Duration,
			PerAccount: int(s.settings.PartialsPerAccount),
		},
		Digests: s.digests, Log: s.log, Timed: s.timed,
	}
}
