package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/library"
	"shelf/vfs/local"
)

// libraries is the part that holds what is served. One that can't be served keeps
// no other from being served.
type libraries struct {
	log   *slog.Logger
	timed func(local.Step, time.Duration) // is told how long publishing takes
	set   *library.Set
	stop  func()
}

// tendEvery is how often libraries are looked after.
const tendEvery = 5 * time.Second

func (l *libraries) check(s config.Settings) (err error) {
	for _, name := range s.LibraryNames() {
		err = errors.Join(err, checkLibrary(s, name))
	}
	return err
}

// checkLibrary looks whether a library could be served. Of those that are made for
// accounts it is the folder that they are made in.
func checkLibrary(s config.Settings, name string) error {
	l := s.AllLibraries()[name]
	err := library.CheckFolder(l)
	if err == nil && l.Bucket == "" {
		err = library.CheckOwner(s, library.Prefix(l.Path))
	}
	if err == nil && !library.PerAccount(l.Where()) {
		err = library.Probe(s, l)
	}
	return unserved(s, name, err)
}

// open fails only if no library at all can be served.
func (l *libraries) open(s config.Settings) error {
	l.set = library.New(s, l.log, l.timed)
	faults := l.set.Open()
	if len(faults) == len(s.AllLibraries()) {
		l.set.Close()
		return unservedAll(s, faults)
	}
	l.report(s, faults)
	ctx, stop := context.WithCancel(context.Background())
	tended := make(chan struct{})
	go func() { defer close(tended); l.tend(ctx) }()
	l.stop = func() { stop(); <-tended }
	return nil
}

// tend looks after the libraries until ctx ends.
func (l *libraries) tend(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			l.set.Tend(now)
		}
	}
}

func (l *libraries) reload(_, next config.Settings) (func() error, error) {
	return func() error { l.report(next, l.set.Change(next)); return nil }, nil
}

func (l *libraries) close() {
	l.stop()
	l.set.Close()
}

// report logs what keeps libraries from being served.
func (l *libraries) report(s config.Settings, faults map[string]error) {
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		l.log.Error("a library is not served", "library", name, "reason", oneLine(unserved(s, name, faults[name])))
	}
}

func unservedAll(s config.Settings, faults map[string]error) (err error) {
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		err = errors.Join(err, unserved(s, name, faults[name]))
	}
	return err
}

// unserved says why a library is not served, and what to do; nil stays nil.
func unserved(s config.Settings, name string, err error) error {
	if err == nil {
		return nil
	}
	setting, path := s.PathSetting(name), s.AllLibraries()[name].Path
	if bucket := s.AllLibraries()[name].Bucket; bucket != "" {
		return &problem{s.Where(setting), "The library cannot be served", err,
			"Its store must be there, know the credentials, and do what a library needs; shelfd check prints what it does."}
	}
	what, remedy := "The library cannot be served", path+" must be a directory that this user can read and write, and that no other server serves."
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what = "There is no library"
		remedy = fmt.Sprintf("Make it with: mkdir -p %s\n  or name another directory with %s.", library.Prefix(path), s.By(setting))
	case errors.Is(err, unix.ENOTDIR):
		remedy = fmt.Sprintf("Name a directory with %s.", s.By(setting))
	case errors.Is(err, library.ErrOwner):
		remedy = "Start the server as that user; or, if it must be root, set allow_root = true."
	case errors.Is(err, fs.ErrPermission) && s.Sandbox.Word != config.SandboxOff:
		remedy += "\n  If it can: the sandbox of a server that runs allows new libraries only below library_roots; restart the server, or name the folder above there."
	}
	return &problem{s.Where(setting), what, err, remedy}
}
