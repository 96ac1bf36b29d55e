package deliver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"shelf/cmd/shelfd/deliver/tail"
)

// What waits for a receiver at the most: beyond that nothing more is read.
const (
	maxWaiting      = 10000
	maxWaitingBytes = 16 << 20
)

// maxTurn is how many lines of a log are read before something else is done.
const maxTurn = 256

// followed is a log that is read.
type followed struct {
	path string
	*tail.Log
}

// find opens the logs that are not open yet: of a pattern those that are there, of a
// path in any case.
func (w *worker) find() error {
	w.found = time.Now()
	since := w.youngest()
	for _, pattern := range w.o.Logs {
		paths := []string{pattern}
		if IsPattern(pattern) {
			if _, err := os.ReadDir(filepath.Dir(pattern)); err != nil {
				return fmt.Errorf("the folder of the audit log cannot be read: %w", err)
			}
			paths, _ = filepath.Glob(pattern) // it was looked at already
		}
		for _, path := range paths {
			if slices.ContainsFunc(w.logs, func(l followed) bool { return l.path == path }) {
				continue
			}
			if err := w.open(path, since); err != nil {
				return err
			}
		}
	}
	return nil
}

// youngest is when the youngest line was written that was read before; zero is that
// none was, and the receiver is new.
func (w *worker) youngest() (t time.Time) {
	for _, place := range w.recorded {
		if place.Time.After(t) {
			t = place.Time
		}
	}
	return t
}

// overlap is how much older a line of another log may be than the youngest that was
// read, and still be news.
const overlap = time.Minute

// open opens a log at the place of the receiver. If it has none, because the log or the
// receiver is new, it is told of what is younger than what it was told of last, or of
// what happens from now on: the past is no news. Replay goes back, and never forward.
func (w *worker) open(path string, since time.Time) (err error) {
	if f, err := os.Open(path); err == nil {
		f.Close()
	} else if !errors.Is(err, fs.ErrNotExist) { // what it has must not be taken for nothing
		return fmt.Errorf("the audit log cannot be read: %w; audit_mode must let this user read it", err)
	}
	place, known := w.recorded[path]
	switch {
	case w.o.Replay > 0 && known && place.Seq+1 < w.o.Replay: // what lies between was not read yet
		w.log.Warn("nothing is delivered again: the receiver has not come to the line that --replay names; it goes on where it is",
			"replay", w.o.Replay, "seq", place.Seq)
	case w.o.Replay > 0:
		if place, err = tail.Before(path, w.o.Replay); err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
		w.forget(w.o.Replay)
	case !known && since.IsZero():
		if place, err = tail.End(path); err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
	case !known:
		if place, err = tail.Since(path, since.Add(-overlap)); err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
	}
	if err := w.took(path, place, nil); err != nil {
		return err
	}
	w.logs = append(w.logs, followed{path, tail.Open(path, place)})
	return nil
}

// forget drops the events from a number on, which are about to be read again.
func (w *worker) forget(from uint64) {
	q := newQueue()
	for _, e := range w.queue.waiting() {
		if e.Seq < from {
			q.add(e)
		} else {
			w.record(record{Dropped: e.ID, At: time.Now()})
		}
	}
	w.queue = q
}

// look is how often logs are looked for that have come to be.
const look = time.Second

// room tells whether more may be read.
func (w *worker) room() bool {
	return len(w.queue.all) < maxWaiting && w.queue.bytes < maxWaitingBytes && w.journal.err == nil
}

// read reads on in the logs, as far as there is room. At their end it looks again only
// now and then.
func (w *worker) read(now time.Time) {
	if w.atEnd && now.Sub(w.looked) < w.o.Poll {
		return
	}
	if now.Sub(w.found) >= look {
		if err := w.find(); err != nil {
			w.say("log", slog.LevelError, "the audit log cannot be read; it is tried again", "reason", err)
		}
	}
	w.atEnd, w.looked = true, now
	for i, l := range w.logs {
		path := l.path
		found, end := w.readLog(l)
		w.atEnd = w.atEnd && end
		if l.Place() == w.recorded[path] {
			continue
		}
		// What was passed over need not be recorded at once: it would only be passed
		// over again.
		if len(found) > 0 || end && time.Since(w.synced) > journalSync {
			if w.took(path, l.Place(), found) != nil {
				l.Close()
				w.logs[i].Log = tail.Open(path, w.recorded[path]) // to be read again
				return
			}
		}
	}
}

// readLog reads some lines of a log, and returns the events among them that are wanted.
func (w *worker) readLog(l followed) (found []*event, end bool) {
	bytes := 0
	for range maxTurn {
		if len(w.queue.all)+len(found) >= maxWaiting || w.queue.bytes+bytes >= maxWaitingBytes || w.journal.err != nil {
			return found, false
		}
		line, err := l.Next()
		if errors.Is(err, io.EOF) {
			return found, true
		}
		if err != nil {
			w.say("log", slog.LevelError, "the audit log cannot be read; it is tried again", "reason", err)
			return found, true
		}
		w.notice(line)
		if !w.filter.wants(line.Line) {
			continue
		}
		if e, err := newEvent(line.Text); err == nil {
			found, bytes = append(found, e), bytes+len(e.text)
		}
	}
	return found, false
}

// notice tells what is wrong with the log before a line.
func (w *worker) notice(line tail.Line) {
	if line.Missed > 0 {
		w.counts.missed.Add(line.Missed)
		w.log.Error("lines of the audit log are gone, and what they told was not delivered: their files were removed before they were read",
			"first", line.Seq-line.Missed, "last", line.Seq-1)
	}
	if line.Anew {
		w.log.Warn("the audit log goes on with other lines: it was replaced, or a power cut took its end", "seq", line.Seq, "id", line.ID)
	}
}

// took records how far a log was read and what was found, and only then lets it go.
func (w *worker) took(path string, place tail.Place, found []*event) error {
	r := record{Read: &reading{Log: path, Place: place}, At: time.Now()}
	for _, e := range found {
		r.Read.Events = append(r.Read.Events, json.RawMessage(e.text))
	}
	if err := w.record(r); err != nil {
		return err
	}
	w.recorded[path] = place
	for _, e := range found {
		w.queue.add(e)
	}
	return nil
}
