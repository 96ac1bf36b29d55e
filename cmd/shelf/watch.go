package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watching uploads what comes into a folder.
type watching struct {
	*shell
	*choices
	dir     string
	changed map[string]time.Time // when each file that waits was changed last
	retry   time.Duration        // how long to wait after a failure
}

func (s *shell) watch(ctx context.Context, o *choices, args []string) error {
	if len(args) != 1 {
		return usageErrorf("which folder? watch DIR")
	}
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer events.Close()
	if err := events.Add(args[0]); err != nil {
		return fmt.Errorf("%s cannot be watched: %w", printable(args[0]), reason(err))
	}
	w := &watching{shell: s, choices: o, dir: args[0], changed: make(map[string]time.Time)}
	if err := w.all(ctx); err != nil {
		return err
	}
	s.sayf("Watching %s; Ctrl-C ends it.", printable(w.dir))
	s.event(failEvent{Event: "watching", Name: w.dir})
	return w.run(ctx, events)
}

// all has everything wait that the server lacks: at the start, and when the
// system could not keep up telling what changed.
func (w *watching) all(ctx context.Context) error {
	files, err := w.outdated(ctx, w.choices, w.dir)
	for _, f := range files {
		w.touch(f)
	}
	return err
}

// touch notes that a file was changed just now.
func (w *watching) touch(file string) {
	if !strings.HasPrefix(filepath.Base(file), ".") {
		w.changed[file] = time.Now()
	}
}

func (w *watching) run(ctx context.Context, events *fsnotify.Watcher) error {
	tick := time.NewTicker(max(w.settle/4, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			w.sayf("No longer watching.")
			return nil
		case e := <-events.Events:
			if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
				delete(w.changed, e.Name)
			} else if e.Has(fsnotify.Create) || e.Has(fsnotify.Write) {
				w.touch(e.Name)
			}
		case err := <-events.Errors:
			w.detailf("watch: %v; looking at all of the folder", err)
			if err := w.all(ctx); err != nil {
				return err
			}
		case <-tick.C:
			w.upload(ctx)
		}
	}
}

// upload uploads what has settled. What fails waits longer each time.
func (w *watching) upload(ctx context.Context) {
	var ready []string
	for file, at := range w.changed {
		if time.Since(at) < w.settle {
			continue
		}
		delete(w.changed, file)
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			ready = append(ready, file)
		}
	}
	if len(ready) == 0 {
		return
	}
	failed, err := w.try(ctx, ready)
	if err == nil {
		w.retry = 0
		return
	}
	const longest = time.Minute
	w.retry = min(max(2*w.retry, w.settle), longest)
	for _, file := range failed {
		w.changed[file] = time.Now().Add(w.retry)
	}
	if ctx.Err() == nil {
		w.warnf("watch: %v; trying again in %v", err, w.retry+w.settle)
	}
}

// try uploads, and tells what is to be tried again.
func (w *watching) try(ctx context.Context, files []string) (failed []string, err error) {
	if err := w.ensure(ctx); err != nil {
		return files, err
	}
	return w.putSome(ctx, w.choices, files)
}
