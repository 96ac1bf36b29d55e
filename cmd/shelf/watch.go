package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	look    time.Time            // when to look at all of the folder; zero is never
	settle  time.Duration        // how long a file stays unchanged when it is complete
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
	o.noLinks = true
	w := &watching{shell: s, choices: o, dir: filepath.Clean(args[0]), changed: make(map[string]time.Time), settle: time.Duration(o.settle)}
	if err := events.Add(w.dir); err != nil {
		return fmt.Errorf("%s cannot be watched: %w", printable(w.dir), reason(err))
	}
	if err := w.all(ctx); err != nil {
		return err
	}
	s.sayf("Watching %s; Ctrl-C ends it.", printable(w.dir))
	s.event(note{Event: "watching", Name: w.dir})
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
			if err := w.note(e); err != nil {
				return err
			}
		case err := <-events.Errors:
			w.detailf("watch: %v; looking at all of the folder", err)
			w.look = time.Now()
		case <-tick.C:
			w.upload(ctx)
		}
	}
}

// note takes in what happened in the folder. When it happened to the folder
// itself, another one of its name would be watched in vain.
func (w *watching) note(e fsnotify.Event) error {
	gone := e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)
	switch {
	case gone && e.Name == w.dir:
		return fmt.Errorf("%s was removed or renamed; watch it again once it is there", printable(w.dir))
	case gone:
		delete(w.changed, e.Name)
	case e.Has(fsnotify.Create) || e.Has(fsnotify.Write):
		w.touch(e.Name)
	}
	return nil
}

// upload uploads what is complete. What fails waits longer each time.
func (w *watching) upload(ctx context.Context) {
	ready, look := w.ready(), !w.look.IsZero() && !time.Now().Before(w.look)
	if len(ready) == 0 && !look {
		return
	}
	failed, err := w.try(ctx, ready, look)
	if err == nil {
		w.retry = 0
		return
	}
	if ctx.Err() != nil {
		return
	}
	again := w.worthwhile(failed, err)
	if len(again) == 0 && w.look.IsZero() {
		w.warnf("watch: %v; what the server forbids is tried again when it has changed", err)
		return
	}
	w.later(again)
	w.warnf("watch: %v; trying again in %v", err, w.retry+w.settle)
}

// later has files wait, and the look at all of the folder if there is to be one.
func (w *watching) later(files []string) {
	const longest = time.Minute
	w.retry = min(max(2*w.retry, w.settle), longest)
	next := time.Now().Add(w.retry)
	for _, file := range files {
		w.changed[file] = next
	}
	if !w.look.IsZero() {
		w.look = next.Add(w.settle)
	}
}

// worthwhile are the files to try again by themselves: what the server forbids,
// as to replace a file in a drop box, it forbids the next time.
func (w *watching) worthwhile(failed []string, err error) []string {
	f := (*failures)(nil)
	if !errors.As(err, &f) {
		return failed
	}
	return slices.DeleteFunc(failed, func(file string) bool { return f.denied[file] })
}

// ready takes the files that are complete from those that wait: that have not
// changed for a while, and that nobody is writing.
func (w *watching) ready() (files []string) {
	for file, at := range w.changed {
		if time.Since(at) < w.settle || beingWritten(file) {
			continue
		}
		delete(w.changed, file)
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			files = append(files, file)
		}
	}
	return files
}

// try uploads, and looks at all of the folder if it is to; it tells which files
// are to be tried again.
func (w *watching) try(ctx context.Context, files []string, look bool) (failed []string, err error) {
	if err := w.ensure(ctx); err != nil {
		return files, err
	}
	if look {
		if err := w.all(ctx); err != nil {
			return files, err
		}
		w.look = time.Time{}
	}
	if len(files) == 0 {
		return nil, nil
	}
	return w.putSome(ctx, w.choices, files)
}
