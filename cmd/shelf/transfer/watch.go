package transfer

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

// watching is a watch of a folder.
type watching struct {
	*Mover
	dir     string
	changed map[string]time.Time // the files that wait, and when each was changed last
	look    time.Time            // when to look at the whole folder; zero is never
	retry   time.Duration        // how long to wait after a failure
}

// Watch uploads what is in a folder and what comes into it, until ctx ends.
// Connect is called before each upload; it connects again if that is needed.
func (m *Mover) Watch(ctx context.Context, dir string) error {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer events.Close()
	m.noLinks = true
	w := &watching{Mover: m, dir: filepath.Clean(dir), changed: make(map[string]time.Time)}
	if err := events.Add(w.dir); err != nil {
		return fmt.Errorf("%s cannot be watched: %w", w.dir, reason(err))
	}
	if err := w.all(ctx); err != nil {
		return err
	}
	m.UI.Sayf("Watching %s; Ctrl-C ends it.", w.dir)
	m.UI.Event(nameEvent{"watching", w.dir})
	return w.run(ctx, events)
}

// all makes all files wait that the server lacks: at the start, and after the system
// has lost events.
func (w *watching) all(ctx context.Context) error {
	files, out, err := w.outdated(ctx, w.dir)
	for _, f := range files {
		w.touch(f)
	}
	if err == nil {
		w.tell(w.dir, out)
	}
	return err
}

// touch notes that a file has just changed.
func (w *watching) touch(file string) {
	if !strings.HasPrefix(filepath.Base(file), ".") {
		w.changed[file] = time.Now()
	}
}

func (w *watching) run(ctx context.Context, events *fsnotify.Watcher) error {
	tick := time.NewTicker(max(w.Settle/4, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			w.UI.Sayf("No longer watching.")
			return nil
		case e := <-events.Events:
			if err := w.note(e); err != nil {
				return err
			}
		case err := <-events.Errors:
			w.UI.Detailf("watch: %v; looking at the whole folder", err)
			w.look = time.Now()
		case <-tick.C:
			w.upload(ctx)
		}
	}
}

// note takes in an event. If the folder itself is gone the watch ends: of a new folder
// with its name the system would send no events.
func (w *watching) note(e fsnotify.Event) error {
	gone := e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)
	switch {
	case gone && e.Name == w.dir:
		return fmt.Errorf("%s was removed or renamed; start watch again when it is back", w.dir)
	case gone:
		delete(w.changed, e.Name)
	case e.Has(fsnotify.Create) || e.Has(fsnotify.Write):
		w.touch(e.Name)
	}
	return nil
}

// upload uploads the files that are complete. After each failure it waits longer.
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
	again := allowed(failed, err)
	if len(again) == 0 && w.look.IsZero() {
		w.UI.Warnf("watch: %v; files that the server forbids are tried again when they change", err)
		return
	}
	w.later(again)
	w.UI.Warnf("watch: %v; trying again in %v", err, w.retry+w.Settle)
}

// later makes files wait, and the look at the whole folder if one is due.
func (w *watching) later(files []string) {
	const longest = time.Minute
	w.retry = min(max(2*w.retry, w.Settle), longest)
	next := time.Now().Add(w.retry)
	for _, file := range files {
		w.changed[file] = next
	}
	if !w.look.IsZero() {
		w.look = next.Add(w.Settle)
	}
}

// allowed is the failed files without those that the server forbids: it would forbid
// them the next time, too, as a drop box does for a file that it has.
func allowed(failed []string, err error) []string {
	f := (*failures)(nil)
	if !errors.As(err, &f) {
		return failed
	}
	return slices.DeleteFunc(failed, func(file string) bool { return f.denied[file] })
}

// ready takes from the waiting files those that are complete: they have not changed
// for a while, and nobody has them open for writing.
func (w *watching) ready() (files []string) {
	for file, at := range w.changed {
		if time.Since(at) < w.Settle || beingWritten(file) {
			continue
		}
		delete(w.changed, file)
		info, err := os.Lstat(file)
		if err != nil {
			continue
		}
		if out := (leftOut{}); out.takes(info.Name(), info.IsDir(), info.Mode().IsRegular()) {
			files = append(files, file)
		} else {
			w.tell(w.dir, out)
		}
	}
	return files
}

// try uploads files, after a look at the whole folder if one is due. It returns the
// files that failed.
func (w *watching) try(ctx context.Context, files []string, look bool) (failed []string, err error) {
	server, err := w.Connect(ctx)
	if err != nil {
		return files, err
	}
	w.Server = server
	if look {
		if err := w.all(ctx); err != nil {
			return files, err
		}
		w.look = time.Time{}
	}
	if len(files) == 0 {
		return nil, nil
	}
	return w.Put(ctx, files, There{})
}
