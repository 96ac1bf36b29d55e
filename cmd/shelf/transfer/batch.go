package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"shelf/cmd/shelf/sftp"
)

// batch is the files that one command moves, some of them at a time.
type batch struct {
	*Mover
	command string // get or put
	past    string // its past tense
	jobs    int
	limit   *rate.Limiter
	bar     func(name string) Bar
	shown   bool // bars are visible
	endBars func()
	all     []file
	start   time.Time

	mu     sync.Mutex // guards what follows
	failed []string
	denied map[string]bool // those of the failed ones that the server forbids
	lost   bool            // one failed because the connection was lost
	left   int             // how many were not started, and count as failed
	done   int             // how many were moved
	same   int             // how many were there already
	moved  int64           // bytes
}

// file is one of them.
type file struct {
	*progress
	known error // the result, if it is known before the transfer starts
	move  func(context.Context, *progress) error
}

// errSame means that a file need not be moved.
var errSame = errors.New("the same file is there already")

func (m *Mover) newBatch(command string, files int) *batch {
	b := &batch{Mover: m, command: command, past: command, limit: sftp.NewLimiter(m.Limit), denied: make(map[string]bool)}
	if command == "get" {
		b.past = "got"
	}
	b.jobs = min(max(m.Jobs, 1), max(files, 1), sftp.MostChannels)
	b.bar, b.endBars = m.Bars(files)
	if b.shown = b.bar != nil; !b.shown {
		b.bar = func(string) Bar { return noBar{} }
	}
	return b
}

func (b *batch) add(name string, known error, move func(context.Context, *progress) error) {
	b.all = append(b.all, file{&progress{name: name, bar: b.bar(name), began: b.began}, known, move})
}

// share is how many channels each file may use.
func (b *batch) share() int { return sftp.MostChannels / b.jobs }

// run moves all files. If one fails the others still go on, but not after Ctrl-C.
func (b *batch) run(ctx context.Context) error {
	b.start = time.Now()
	measured := b.measure(ctx)
	next := make(chan file)
	var workers sync.WaitGroup
	for range b.jobs {
		workers.Go(func() {
			for one := range next {
				b.one(ctx, one)
			}
		})
	}
	for _, one := range b.all {
		next <- one
	}
	close(next)
	workers.Wait()
	measured()
	b.endBars()
	if b.left > 0 {
		b.UI.Warnf("%s not started", were(b.left))
	}
	b.summary()
	return b.result(ctx)
}

func (b *batch) one(ctx context.Context, one file) {
	if err := b.stopped(ctx); err != nil {
		b.leave(one.progress, err)
		return
	}
	err := one.known
	if err == nil {
		err = one.move(ctx, one.progress)
	}
	if err == nil && b.command == "put" && one.needless() {
		err = errSame
	}
	one.bar.End()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = context.Cause(ctx)
	}
	b.report(one.progress, err)
	b.count(one.progress, err)
}

// stopped tells why no more files are started, if so.
func (b *batch) stopped(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case b.lost:
		return sftp.ErrLost
	}
	return nil
}

// leave counts a file that is not started. People are told only how many.
func (b *batch) leave(p *progress, err error) {
	b.UI.Event(fileEvent{Event: "failed", Command: b.command, Name: p.name, Error: err.Error()})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = append(b.failed, p.name)
	b.left++
}

func (b *batch) count(p *progress, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.done++
		b.moved += p.done.Load() - p.skipped
	case errors.Is(err, errSame):
		b.same++
	default:
		b.failed = append(b.failed, p.name)
		b.lost = b.lost || errors.Is(err, sftp.ErrLost)
		if s := (*sftp.Status)(nil); errors.As(err, &s) && errors.Is(s, fs.ErrPermission) {
			b.denied[p.name] = true
		}
	}
}

// began tells that a transfer begins.
func (b *batch) began(p *progress) {
	b.UI.Event(fileEvent{Event: "started", Command: b.command, Name: p.name, Size: p.size})
}

// report tells the result of a file.
func (b *batch) report(p *progress, err error) {
	e := fileEvent{Event: "done", Command: b.command, Name: p.name, Size: p.done.Load(), Resumed: p.skipped, SHA256: p.sum}
	switch {
	case err == nil:
		e.Seconds = p.seconds()
		b.UI.Sayf("%s", p.summary(b.past, b.UI.Size))
	case errors.Is(err, errSame):
		e.Event = "same"
		b.UI.Sayf("%s: %v", p.name, err)
	default:
		e.Event, e.Error = "failed", err.Error()
		b.UI.Warnf("%s: %v", p.name, err)
	}
	b.UI.Event(e)
}

// summary tells the sum, if there were many files.
func (b *batch) summary() {
	if len(b.all) < 2 {
		return
	}
	took := max(time.Since(b.start), time.Millisecond)
	b.UI.Event(summaryEvent{"summary", b.command, b.done, b.same, len(b.failed), b.moved, took.Seconds()})
	var parts []string
	if b.done > 0 {
		parts = append(parts, fmt.Sprintf("%s %s: %s in %s, %s/s", b.past, count(b.done), b.UI.Size(b.moved), took.Round(time.Millisecond), b.UI.Size(int64(float64(b.moved)/took.Seconds()))))
	}
	if b.same > 0 {
		parts = append(parts, were(b.same)+" there already")
	}
	if len(parts) > 0 {
		b.UI.Sayf("%s", strings.Join(parts, "; "))
	}
}

func (b *batch) result(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(b.failed) > 0 && len(b.all) > 1:
		return &failures{fmt.Sprintf("%d of %d files failed", len(b.failed), len(b.all)), b.lost, b.denied}
	case len(b.failed) > 0:
		return &failures{"the file was not transferred", b.lost, b.denied}
	}
	return nil
}

// failures is the error of a command some of whose files failed. Why each of them
// did was said before.
type failures struct {
	text   string
	lost   bool
	denied map[string]bool
}

func (f *failures) Error() string        { return f.text }
func (f *failures) Is(target error) bool { return f.lost && target == sftp.ErrLost }

// count is a number of files.
func count(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// were starts a sentence about a number of files.
func were(n int) string {
	if n == 1 {
		return "1 file was"
	}
	return count(n) + " were"
}
