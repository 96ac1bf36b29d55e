package held

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"shelf/cmd/shelfd/quarantine"
	"shelf/vfs"
)

// Again tells whether something that has failed is to be tried again: the server, its
// disk, a store or a limit has kept it, and not a rule.
func Again(err error) bool {
	known := (*vfs.Error)(nil)
	switch {
	case err == nil:
		return false
	case !errors.As(err, &known):
		return true
	case errors.Is(err, vfs.ErrUnavailable), errors.Is(err, vfs.ErrUncertain), errors.Is(err, vfs.ErrNoSpace), errors.Is(err, vfs.ErrIO),
		errors.Is(err, vfs.ErrTooMany), errors.Is(err, vfs.ErrCut):
		return true
	case errors.Is(err, fs.ErrNotExist):
		return true // an upload makes its file: what is missing is the folder
	case errors.Is(err, fs.ErrPermission), errors.Is(err, vfs.ErrTooLarge):
		return known.Err != nil // the system says so, as of a disk that is read-only, and not a rule
	}
	return false
}

// judge has one upload judged, and publishes or refuses it.
func (q *Queue) judge(ctx context.Context, e *entry) {
	q.mu.Lock()
	i := e.item
	q.mu.Unlock()
	var word string
	_, file, err := q.o.Folder.Open(i.ID)
	if err == nil {
		defer file.Close()
		word, err = q.verdict(ctx, i, file)
	}
	e, lost := q.take(context.WithoutCancel(ctx), q.byID(i.ID))
	if lost != nil {
		return // it was dropped, or released
	}
	defer q.give(e)
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		e.judging = nil
	}()
	switch {
	case ctx.Err() != nil:
		return // the verdict was about another name, or the server ends
	case err == nil:
		err = q.publish(ctx, e, file, word)
	case word == vfs.GateRefused:
		q.refuse(e, word, err)
		return
	}
	if err != nil && ctx.Err() == nil {
		q.later(e, err)
	}
}

// verdict asks the gate, unless the library may have the upload since a try that a crash
// has ended.
func (q *Queue) verdict(ctx context.Context, i quarantine.Item, file *os.File) (word string, err error) {
	if i.Held.Publishing && q.o.Published(ctx, i, file) {
		return published, nil
	}
	return q.o.Judge(ctx, i, file)
}

// published is the word of what the library has already.
const published = "published"

// publish puts an entry, which was let in, into its library.
func (q *Queue) publish(ctx context.Context, e *entry, file *os.File, word string) error {
	if word != published {
		if err := q.mark(e, true); err != nil {
			return err
		}
		if _, err := file.Seek(0, 0); err != nil {
			return err
		}
		err := q.o.Publish(ctx, e.item, file, word)
		if Again(err) {
			q.unmark(e, err)
			return err
		}
		if err != nil {
			q.dispose(e, err)
			return nil
		}
	}
	if _, err := q.o.Folder.Drop(e.item.ID); err != nil {
		return fmt.Errorf("it is published, and still there: %w", err)
	}
	q.remove(e)
	return nil
}

// mark writes down that the library may have an entry, or that it has not.
func (q *Queue) mark(e *entry, publishing bool) error {
	next, h := e.item, *e.item.Held
	h.Publishing, next.Held = publishing, &h
	return q.write(e, next)
}

// unmark is called when publishing has failed. Unless nobody knows, the library has not
// got the entry, whatever it has under that name: that may be the same content.
func (q *Queue) unmark(e *entry, why error) {
	if errors.Is(why, vfs.ErrUncertain) {
		return
	}
	if err := q.mark(e, false); err != nil {
		q.o.Log.Error("it can't be written down that an upload was not published", "library", e.item.Library, "id", e.item.ID, "reason", err)
	}
}

// refuse records that an entry is not published, and disposes of it.
func (q *Queue) refuse(e *entry, word string, why error) {
	if err := q.o.Refused(e.item, word, why); err != nil {
		q.later(e, err)
		return
	}
	q.dispose(e, why)
}

// dispose puts what was refused into quarantine, or removes it.
func (q *Queue) dispose(e *entry, why error) {
	i, log := e.item, q.o.Log.With("library", e.item.Library, "id", e.item.ID, "name", vfs.Clip(e.item.Name))
	defer q.remove(e)
	if max := q.o.Rules(i.Library).Quarantine; max > 0 {
		dropped, err := q.o.Folder.Refuse(i, why.Error(), max)
		for _, old := range dropped {
			log.Warn("a file in quarantine gave room to a newer one", "old", old.ID, "old_name", vfs.Clip(old.Name))
		}
		if err == nil {
			log.Info("a refused file is in quarantine")
			return
		}
		log.Error("a refused file could not be kept in quarantine, and is gone", "reason", err)
	}
	if _, err := q.o.Folder.Drop(i.ID); err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Error("a refused file could not be removed", "reason", err)
	}
}

// later has an entry tried again: after First, and then after twice as long each time.
func (q *Queue) later(e *entry, why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	pause := q.o.Longest
	if e.tries < 20 {
		pause = min(pause, q.o.First<<e.tries)
	}
	e.tries++
	e.why, e.due = why.Error(), time.Now().Add(pause)
	level := slog.LevelWarn
	if e.tries > 1 {
		level = slog.LevelDebug // thousands may be tried each ten minutes, for days
	}
	q.o.Log.Log(context.Background(), level, "an upload that waits could not be judged or published, and is tried again", "library", e.item.Library, "id", e.item.ID,
		"name", vfs.Clip(e.item.Name), "tries", e.tries, "next", e.due, "reason", why)
}
