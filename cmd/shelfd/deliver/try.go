package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"shelf/cmd/shelfd/deliver/webhook"
	"shelf/vfs"
)

// result is what came of a try.
type result struct {
	*event
	webhook.Answer
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

// due is when the next try is; zero is that none is known of.
func (w *worker) due() time.Time {
	due := w.queue.due()
	if !due.IsZero() && due.Before(w.pause) {
		return w.pause
	}
	return due
}
