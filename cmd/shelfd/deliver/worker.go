package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shelf/cmd/shelfd/deliver/tail"
)

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

// record adds to the journal.
func (w *worker) record(r record) error {
	err := w.journal.write(r)
	if err != nil {
		w.say("journal", slog.LevelError, "the journal cannot be written; nothing more is read until it can, and after a crash some events are sent once more", "reason", err)
	}
	return err
}

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
