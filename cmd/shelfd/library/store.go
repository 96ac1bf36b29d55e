package library

import (
	"shelf/cmd/shelfd/config"
	"shelf/vfs/local"
)

// This file alone opens stores, and knows of which kind one is.

// open opens the library of a Source.
func (s *Set) open(from Source) (*local.Dir, error) {
	s.mu.Lock()
	settings := s.settings
	l, ok := settings.AllLibraries()[from.name]
	o := s.options(l)
	s.mu.Unlock()
	if !ok {
		return nil, errGone
	}
	if err := CheckOwner(settings, from.path); err != nil {
		return nil, err
	}
	if !PerAccount(l.Path) {
		return local.Open(from.path, o)
	}
	folder, err := makeFolder(Prefix(l.Path), from.path, l.FolderMode.FileMode)
	if err != nil {
		return nil, err
	}
	return local.OpenFolder(folder, from.path, o)
}

// Probe tells whether a library could be opened, and leaves it alone.
func Probe(l config.Library) error { return local.Probe(Prefix(l.Path)) }

// options is how a library keeps its files. mu is held.
func (s *Set) options(l config.Library) local.Options {
	if l.Durability == nil {
		return local.Options{}
	}
	return local.Options{
		Durability:   local.Durability(l.Durability.Word),
		Quota:        l.Quota.Bytes,
		MaxFiles:     int64(*l.MaxFiles),
		MinFreeSpace: l.MinFreeSpace.Bytes,

		Umask:          s.umask,
		FileMode:       l.FileMode.FileMode,
		AllowHardLinks: *l.AllowHardLinks,
		Partials: &local.PartialRules{
			MinSize:    s.settings.PartialMinSize.Bytes,
			MaxAge:     s.settings.PartialMaxAge.Duration,
			PerAccount: int(s.settings.PartialsPerAccount),
		},
		Digests: s.digests, Log: s.log, Timed: s.timed,
	}
}
