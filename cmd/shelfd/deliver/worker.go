package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shelf/cmd/shelfd/deliver/tail"
	"shelf/cmd/shelfd/deliver/webhook"
	"shelf/vfs"
)

// What waits for a receiver at the most: beyond that nothing more is read.
const (
	maxWaiting      = 10000
	maxWaitingBytes = 16 << 20
)

// look is how often logs are looked for that have come to be.
const look = time.Second

// maxTurn is how many lines of a log are read before something else is done.
const maxTurn = 256

// worker delivers to one receiver. All is done by one goroutine, but for the tries.
type worker struct {
	Receiver
	o       Options
	log     *slog.Logger
	journal *journal
	logs    []followed
	queue   *queue

	off       string
	offAt     time.Time
	pause     time.Time
	delivered time.Time

	silent   bool        // a try had no answer since the last that succeeded
	running  int         // tries under way
	results  chan result // of them
	synced   time.Time   // when the journal last was
	recorded map[string]tail.Place
	told     map[string]time.Time // what the log was told, and when
	atEnd    bool                 // of all logs, when they were last read
	looked   time.Time            // when that was
	found    time.Time            // when logs were looked for

	counts counts
	seen   atomic.Pointer[observed] // for metrics
}

// followed is a log that is read.
type followed struct {
	path string
	*tail.Log
}

// result is what came of a try.
type result struct {
	*event
	webhook.Answer
}

// newWorker opens the journal of a receiver.
func newWorker(o Options, r Receiver) (*worker, error) {
	j, s, err := openJournal(journalOf(o.Folder, r.Name))
	if err != nil {
		return nil, fmt.Errorf("the journal of %s: %w", r.Name, err)
	}
	w := &worker{
		Receiver: r, o: o, log: o.Log.With("receiver", r.Name), journal: j, queue: s.waiting(),
		off: s.off, offAt: s.offAt, pause: s.pause, delivered: s.delivered,
		results: make(chan result), recorded: s.places, told: make(map[string]time.Time),
	}
	if s.cut > 0 {
		w.log.Warn("the end of the journal made no sense and was cut off, as after a power cut; some events are sent once more", "bytes", s.cut)
	}
	if err := w.find(); err != nil {
		w.close()
		return nil, err
	}
	if r.enable && w.off != "" {
		w.off = ""
		w.record(record{Off: new(string), At: time.Now()})
		w.queue.allDue()
	}
	w.observe()
	return w, w.journal.sync()
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

func (w *worker) close() {
	for _, l := range w.logs {
		l.Close()
	}
	w.journal.close()
	w.sender.close()
}

// run delivers until ctx ends or, with Once, until all that can be done now is done.
// It tells whether something is left.
func (w *worker) run(ctx context.Context) (left bool) {
	trying, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var tries sync.WaitGroup
	defer tries.Wait()
	tick := time.NewTimer(0)
	defer tick.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		if w.off == "" {
			w.read(now)
			w.start(trying, &tries, now)
		}
		w.tend(now)
		w.observe()
		if w.o.Once && w.running == 0 && (w.off != "" || w.atEnd || !w.room()) {
			break
		}
		tick.Reset(w.rest(now))
		select {
		case <-ctx.Done():
		case <-tick.C:
		case r := <-w.results:
			w.ended(r)
		}
	}
	defer time.AfterFunc(w.o.Grace, stop).Stop()
	for w.running > 0 {
		w.cut(<-w.results)
	}
	w.observe()
	return len(w.queue.all) > 0 || w.off != ""
}

// rest is how long there is nothing to do.
func (w *worker) rest(now time.Time) time.Duration {
	rest := w.o.Poll
	if due := w.due(); w.off == "" && !due.IsZero() && w.running < w.concurrency {
		rest = min(rest, max(0, due.Sub(now)))
	}
	if !w.atEnd && w.off == "" && w.room() {
		rest = 0
	}
	return rest
}

// due is when the next try is; zero is that none is known of.
func (w *worker) due() time.Time {
	due := w.queue.due()
	if !due.IsZero() && due.Before(w.pause) {
		return w.pause
	}
	return due
}

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

// record adds to the journal.
func (w *worker) record(r record) error {
	err := w.journal.write(r)
	if err != nil {
		w.say("journal", slog.LevelError, "the journal cannot be written; nothing more is read until it can, and after a crash some events are sent once more", "reason", err)
	}
	return err
}

// start starts the tries that are due.
func (w *worker) start(ctx context.Context, tries *sync.WaitGroup, now time.Time) {
	for w.running < w.concurrency && !now.Before(w.pause) {
		e := w.queue.next(now)
		if e == nil {
			return
		}
		if e.tried = now; e.first.IsZero() {
			e.first = now
		}
		w.running++
		tries.Go(func() { w.results <- result{e, w.sender.send(ctx, e)} })
	}
}

// cut puts back an event whose try has failed, or was cut off, while this process ends.
func (w *worker) cut(r result) {
	if r.Err == nil {
		w.ended(r)
		return
	}
	w.running--
	w.queue.again(r.event)
}

// ended is told of each try that ended.
func (w *worker) ended(r result) {
	w.running--
	now := time.Now()
	if r.Err == nil {
		w.counts.delivered.Add(1)
		w.delivered = now
		w.queue.done(r.event)
		w.record(record{Delivered: r.ID, At: now})
		if w.silent {
			w.silent = false
			w.queue.hurry(recheck)
		}
		return
	}
	w.counts.failed.Add(1)
	reason := vfs.Escape(vfs.ClipTo(r.Err.Error(), maxReason))
	r.tries++
	r.silent, r.reason = r.Silent, reason
	w.silent = w.silent || r.silent
	if w.giveUp > 0 && now.Sub(r.first) >= w.giveUp {
		w.counts.dropped.Add(1)
		w.log.Error("an event was given up", "id", r.ID, "op", r.Op, "library", r.Library, "name", r.Name, "tries", r.tries, "reason", reason)
		w.queue.done(r.event)
		w.record(record{Dropped: r.ID, At: now})
		return
	}
	r.due = now.Add(w.backoff.after(r.tries))
	change := record{Failed: &failure{r.ID, r.tries, r.first, r.due, r.silent, reason}, At: now}
	if r.Pause > 0 {
		w.pause = now.Add(r.Pause)
		change.Pause = &w.pause
	}
	if r.Gone {
		w.off, w.offAt, change.Off = reason, now, &reason
		w.log.Error("the receiver wants no more events and is turned off; shelfd deliver --enable turns it on again", "reason", reason)
	}
	w.record(change)
	w.queue.again(r.event)
	w.say("failed", slog.LevelWarn, "an event was not delivered; it is tried again", "id", r.ID, "op", r.Op, "library", r.Library, "name", r.Name,
		"tries", r.tries, "next", r.due.Sub(now).Round(time.Millisecond), "waiting", len(w.queue.all), "reason", reason)
}

// maxReason is how much of a reason is kept, in bytes.
const maxReason = 512

// journalSync is how long what is written to the journal may be lost by a power cut.
const journalSync = time.Second

// tend looks after the journal.
func (w *worker) tend(now time.Time) {
	if now.Sub(w.synced) >= journalSync {
		w.journal.sync() // record tells of a failure
		w.synced = now
		if w.journal.err != nil || w.journal.large(w.queue.bytes) {
			if err := w.journal.rewrite(w.snapshot()); err != nil {
				w.journal.err = err
				w.say("journal", slog.LevelError, "the journal cannot be written; nothing more is read until it can, and after a crash some events are sent once more", "reason", err)
			} else {
				delete(w.told, "journal")
			}
		}
	}
}

// snapshot is what the journal has to say, in as few lines as are good to read.
func (w *worker) snapshot() (all []record) {
	now := time.Now()
	off := w.off
	all = append(all, record{Off: &off, Pause: &w.pause, At: w.offAt})
	for _, path := range slices.Sorted(maps.Keys(w.recorded)) {
		all = append(all, record{Read: &reading{Log: path, Place: w.recorded[path]}, At: now})
	}
	for some := range slices.Chunk(w.queue.waiting(), maxTurn) {
		r := &reading{}
		for _, e := range some {
			r.Events = append(r.Events, json.RawMessage(e.text))
		}
		all = append(all, record{Read: r, At: now})
		for _, e := range some {
			if e.tries > 0 {
				all = append(all, record{Failed: &failure{e.ID, e.tries, e.first, e.due, e.silent, e.reason}, At: e.tried})
			}
		}
	}
	if !w.delivered.IsZero() {
		all = append(all, record{Delivered: "-", At: w.delivered}) // no event has this id
	}
	return all
}

// complaints is how often the log is told the same.
const complaints = time.Minute

// say tells the log, but the same only once in a while.
func (w *worker) say(what string, level slog.Level, text string, args ...any) {
	if now := time.Now(); now.Sub(w.told[what]) >= complaints {
		w.told[what] = now
		w.log.Log(context.Background(), level, text, args...)
	}
}
