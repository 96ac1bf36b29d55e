package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"shelf/vfs/local"
)

// libraries are those that are open, by name.
type libraries map[string]*local.Dir

func (s settings) openLibraries(log *slog.Logger) (open libraries, err error) {
	open = make(libraries)
	all, digests := s.libraries(), local.NewDigests(filepath.Join(s.State, "digests"), log)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		o := s.storage(all[name], log)
		o.Digests = digests
		dir, err := s.openLibrary(name, o)
		if err == nil {
			open[name] = dir
			err = s.checkOwner(name)
		}
		if err != nil {
			open.close()
			return nil, err
		}
	}
	return open, nil
}

func (l libraries) close() {
	for _, dir := range l {
		dir.Close()
	}
}

func (s settings) openLibrary(name string, o local.Options) (*local.Dir, error) {
	if err := s.checkFolder(name); err != nil {
		return nil, err
	}
	path := s.libraries()[name].Path
	dir, err := local.Open(path, o)
	if err != nil {
		return nil, s.unserved(name, err)
	}
	return dir, nil
}

// probeLibrary finds what would keep a library from being served, and leaves
// it as it is.
func (s settings) probeLibrary(name string) error {
	if err := s.checkFolder(name); err != nil {
		return err
	}
	if err := local.Probe(s.libraries()[name].Path); err != nil {
		return s.unserved(name, err)
	}
	return s.checkOwner(name)
}

// checkFolder refuses a library that is no directory.
func (s settings) checkFolder(name string) error {
	setting, path := s.pathSetting(name), s.libraries()[name].Path
	where, by := s.places.where(setting), s.places.by(setting)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &problem{where, "There is no library", err, "Make it with: mkdir -p " + path + "\n  or name another directory with " + by + "."}
	case err == nil && !info.IsDir():
		return &problem{where, "The library cannot be served", fmt.Errorf("%s is not a directory", path), "Name a directory with " + by + "."}
	}
	return nil
}

func (s settings) unserved(name string, err error) error {
	return &problem{s.places.where(s.pathSetting(name)), "The library cannot be served", err,
		s.libraries()[name].Path + " must be a directory that this user can read and write, and that no other server serves."}
}

// checkOwner refuses to serve the files of others with the rights of root,
// unless that is wanted.
func (s settings) checkOwner(name string) error {
	path := s.libraries()[name].Path
	var st unix.Stat_t
	if s.AllowRoot || os.Geteuid() != 0 || unix.Stat(path, &st) != nil || st.Uid == 0 {
		return nil
	}
	return &problem{s.places.where(s.pathSetting(name)), "The library is not root's, but the server would be",
		fmt.Errorf("%s belongs to user %d", path, st.Uid),
		"Start the server as that user; or, if it must be root, set allow_root = true."}
}
