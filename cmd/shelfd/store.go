package main

import (
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/config"
	"shelf/vfs/local"
)

// This file alone opens stores, and knows of which kind one is.

// openStores returns what opens a library by its name. Libraries share what is
// remembered of digests.
func openStores(s config.Settings, log *slog.Logger, timed func(local.Step, time.Duration)) func(name string) (library, error) {
	digests := local.NewDigests(filepath.Join(s.State, "digests"), log)
	mask := umask()
	return func(name string) (library, error) {
		l := s.AllLibraries()[name]
		o := storeOptions(s, l)
		o.Digests, o.Log, o.Umask, o.Timed = digests, log, mask, timed
		dir, err := local.Open(l.Path, o)
		if err != nil {
			return nil, err // not dir: a nil *Dir is not a nil library
		}
		return dir, nil
	}
}

// umask is the umask of the process, which can be read only by setting it. For
// that moment it keeps others out.
func umask() fs.FileMode {
	mask := unix.Umask(0o077)
	unix.Umask(mask)
	return fs.FileMode(mask) & fs.ModePerm
}

// probeStore tells whether a library could be opened, and leaves it alone.
func probeStore(s config.Settings, name string) error {
	return local.Probe(s.AllLibraries()[name].Path)
}

// storeOptions is how a library keeps its files.
func storeOptions(s config.Settings, l config.Library) local.Options {
	return local.Options{
		Durability:   local.Durability(l.Durability.Word),
		Quota:        l.Quota.Bytes,
		MaxFiles:     int64(*l.MaxFiles),
		MinFreeSpace: l.MinFreeSpace.Bytes,

		AllowHardLinks: *l.AllowHardLinks,
		Partials: &local.PartialRules{
			MinSize:    s.PartialMinSize.Bytes,
			MaxAge:     s.PartialMaxAge.Duration,
			PerAccount: int(s.PartialsPerAccount),
		},
	}
}
