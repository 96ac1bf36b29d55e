package main

import (
	"errors"
	"log/slog"
	"maps"
	"slices"

	"shelf/vfs/local"
)

// librarySettings are a table [libraries.NAME]; what it does not say is as at
// the top of the file.
type librarySettings struct {
	Path         string      `toml:"path"`
	Durability   *durability `toml:"durability"`
	Quota        *size       `toml:"quota"`
	MinFreeSpace *size       `toml:"min_free_space"`
	MaxFileSize  *size       `toml:"max_file_size"`
}

// onlyLibrary is the name of the library when no table names any.
const onlyLibrary = "library"

// libraries are all that are served, by name, with nothing left unsaid.
func (s settings) libraries() map[string]librarySettings {
	all := make(map[string]librarySettings)
	for name, l := range s.Libraries {
		all[name] = librarySettings{
			Path:         l.Path,
			Durability:   first(l.Durability, &s.Durability),
			Quota:        first(l.Quota, &s.Quota),
			MinFreeSpace: first(l.MinFreeSpace, &s.MinFreeSpace),
			MaxFileSize:  first(l.MaxFileSize, &s.MaxFileSize),
		}
	}
	if len(all) == 0 {
		all[onlyLibrary] = librarySettings{s.Library, &s.Durability, &s.Quota, &s.MinFreeSpace, &s.MaxFileSize}
	}
	return all
}

// first is the first that is set.
func first[T any](all ...*T) *T {
	for _, v := range all {
		if v != nil {
			return v
		}
	}
	return nil
}

// pathSetting is the name of the setting for a library's path.
func (s settings) pathSetting(library string) string {
	if len(s.Libraries) == 0 {
		return "library"
	}
	return "libraries." + library + ".path"
}

// usualLibrary is the one of an account that names none: the only one, or that
// which is called default.
func (s settings) usualLibrary() string {
	names := slices.Sorted(maps.Keys(s.libraries()))
	if len(names) == 1 {
		return names[0]
	}
	return "default"
}

// checkTables refuses what is said both by a table and at the top.
func (s settings) checkTables() error {
	if len(s.Libraries) > 0 && s.Library != "" {
		return s.places.mistake("library", errors.New("it is set, and there are [libraries] too; say it in one way"))
	}
	if s.manyAccounts() && s.User != "" {
		return s.places.mistake("user", errors.New("it is for a server with one account, and there are more; leave it out"))
	}
	for name, l := range s.Libraries {
		if l.Path == "" {
			return s.places.mistake("libraries."+name+".path", errors.New("it is not set; name the directory to serve"))
		}
	}
	return nil
}

// storage is how a library keeps files.
func (s settings) storage(l librarySettings, log *slog.Logger) local.Options {
	return local.Options{
		Durability:   l.Durability.Durability,
		Quota:        l.Quota.bytes,
		MinFreeSpace: l.MinFreeSpace.bytes,
		Partials: &local.PartialRules{
			MinSize:    s.PartialMinSize.bytes,
			MaxAge:     s.PartialMaxAge.Duration,
			PerAccount: int(s.PartialsPerAccount),
		},
		Log: log,
	}
}
