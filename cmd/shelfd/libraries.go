package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/config"
	"shelf/vfs"
	"shelf/vfs/local"
)

// libraries is the part that holds what is served.
type libraries struct {
	log    *slog.Logger
	timed  func(local.Step, time.Duration) // is told how long publishing takes
	byName map[string]library
}

// library is a library that is open.
type library interface {
	vfs.Library
	io.Closer
}

func (l *libraries) check(s config.Settings) (err error) {
	for _, name := range s.LibraryNames() {
		err = errors.Join(err, checkLibrary(s, name))
	}
	return err
}

func checkLibrary(s config.Settings, name string) error {
	if err := checkFolder(s, name); err != nil {
		return err
	}
	if err := probeStore(s, name); err != nil {
		return unserved(s, name, err)
	}
	return checkOwner(s, name)
}

func (l *libraries) open(s config.Settings) error {
	l.byName = make(map[string]library)
	open := openStores(s, l.log, l.timed)
	for _, name := range s.LibraryNames() {
		if err := l.openOne(s, name, open); err != nil {
			l.close()
			return err
		}
	}
	return nil
}

func (l *libraries) openOne(s config.Settings, name string, open func(string) (library, error)) error {
	if err := errors.Join(checkFolder(s, name), checkOwner(s, name)); err != nil {
		return err
	}
	opened, err := open(name)
	if err != nil {
		return unserved(s, name, err)
	}
	l.byName[name] = opened
	return nil
}

// reload refuses other libraries than those that are open.
func (l *libraries) reload(before, after config.Settings) (_ func() error, err error) {
	was, is := before.AllLibraries(), after.AllLibraries()
	refuse := func(setting, change string) { err = errors.Join(err, needsRestart(after, setting, change)) }
	for _, name := range slices.Sorted(maps.Keys(is)) {
		setting, now := after.PathSetting(name), is[name]
		switch then, ok := was[name]; {
		case !ok:
			refuse(setting, fmt.Sprintf("the library %q is new", name))
		case then.Path != now.Path:
			refuse(setting, setting+" is now "+now.Path)
		case !reflect.DeepEqual(then, now):
			refuse(setting, fmt.Sprintf("other settings of the library %q have changed", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, ok := is[name]; !ok {
			refuse("libraries", fmt.Sprintf("the library %q is gone", name))
		}
	}
	return nil, err
}

func (l *libraries) close() {
	for _, one := range l.byName {
		one.Close()
	}
}

// checkFolder refuses a library that is no directory.
func checkFolder(s config.Settings, name string) error {
	setting, path := s.PathSetting(name), s.AllLibraries()[name].Path
	where, by := s.Where(setting), s.By(setting)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &problem{where, "There is no library", err, "Make it with: mkdir -p " + path + "\n  or name another directory with " + by + "."}
	case err == nil && !info.IsDir():
		return &problem{where, "The library cannot be served", fmt.Errorf("%s is not a directory", path), "Name a directory with " + by + "."}
	}
	return nil
}

func unserved(s config.Settings, name string, err error) error {
	return &problem{s.Where(s.PathSetting(name)), "The library cannot be served", err,
		s.AllLibraries()[name].Path + " must be a directory that this user can read and write, and that no other server serves."}
}

// checkOwner refuses to serve the files of others with the rights of root,
// unless that is wanted.
func checkOwner(s config.Settings, name string) error {
	path := s.AllLibraries()[name].Path
	var st unix.Stat_t
	if s.AllowRoot || os.Geteuid() != 0 || unix.Stat(path, &st) != nil || st.Uid == 0 {
		return nil
	}
	return &problem{s.Where(s.PathSetting(name)), "Root would serve the library of another user",
		fmt.Errorf("%s belongs to user %d", path, st.Uid),
		"Start the server as that user; or, if it must be root, set allow_root = true."}
}
