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

	mu       sync.Mutex // guards what follows
	failed   []string
	denied   map[string]bool // those of the failed ones that the server forbids
	lost     error           // why the connection was lost, if it was
	waiting  []file          // those that were cut or not started, then
	left     int             // how many were not started, and count as failed
	unsure   int             // how many of the failed ones are on the server nevertheless
	unproven int             // the same, and what is missing is the receipt
	done     int             // how many were moved
	same     int             // how many were there already
	moved    int64           // bytes
}

// file is one of them.
type file struct {
	*progress
	known error // the result, if it is known before the transfer starts
	cut   error // why it was cut, if it was
	small bool  // it may be on its way together with many others
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

func (b *batch) add(name string, known error, move func(context.Context, *progress) error) *progress {
	p := &progress{name: name, bar: b.bar(name), began: b.began}
	b.all = append(b.all, file{progress: p, known: known, move: move, small: b.command == "put" && b.small(name)})
	return p
}

// run moves all files. If one fails the others still go on, but not after Ctrl-C.
// Those that were cut by a lost connection are moved again with the next one.
func (b *batch) run(ctx context.Context) error {
	b.start = time.Now()
	b.waiting = b.all
	lost := b.Persist(ctx, func() error { return b.pass(ctx) })
	if lost != nil && ctx.Err() == nil && lost != b.lost {
		b.UI.Warnf("%v", lost)
	}
	b.giveUp(ctx)
	b.endBars()
	if b.left > 0 {
		b.UI.Warnf("%s not started", were(b.left))
	}
	b.summary()
	return b.result(ctx, lost)
}

// pass moves the files that wait. Its error is that of a lost connection.
func (b *batch) pass(ctx context.Context) error {
	todo := b.waiting
	b.waiting, b.lost = nil, nil
	measured := b.measure(ctx, todo)
	var small, others []file
	for _, one := range todo {
		if one.small {
			small = append(small, one)
		} else {
			others = append(others, one)
		}
	}
	var all sync.WaitGroup
	all.Go(func() { b.moveAll(ctx, small, b.smallAtOnce()) })
	all.Go(func() { b.moveAll(ctx, others, b.jobs) })
	all.Wait()
	measured()
	return b.lost
}

// smallAtOnce is how many small files are on their way at a time. They share a
// channel, and servers allow a hundred open files or more on it. One job is one file.
func (b *batch) smallAtOnce() int {
	if b.jobs == 1 {
		return 1
	}
	return min(16*b.jobs, 64)
}

// moveAll moves files in their order, some at a time.
func (b *batch) moveAll(ctx context.Context, files []file, atOnce int) {
	next := make(chan file)
	var workers sync.WaitGroup
	for range min(atOnce, len(files)) {
		workers.Go(func() {
			for one := range next {
				b.one(ctx, one)
			}
		})
	}
	for _, one := range files {
		next <- one
	}
	close(next)
	workers.Wait()
}

func (b *batch) one(ctx context.Context, one file) {
	if b.stopped(ctx, one) {
		return
	}
	err := one.known
	if err == nil {
		err = one.move(ctx, one.progress)
	}
	if ctx.Err() == nil && errors.Is(err, sftp.ErrLost) {
		if err != sftp.ErrLost && b.retried < b.Retry {
			b.UI.Warnf("%s: %v", one.name, err) // it may say where the old file is
		}
		one.cut = err
		one.restart()
		b.wait(one, err)
		return
	}
	if err == nil && b.command == "put" && one.needless() {
		err = errSame
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = context.Cause(ctx)
	}
	b.end(one.progress, err)
}

// stopped tells whether no more files are started. This one waits then.
func (b *batch) stopped(ctx context.Context, one file) bool {
	b.mu.Lock()
	lost := b.lost
	b.mu.Unlock()
	if ctx.Err() == nil && lost == nil {
		return false
	}
	b.wait(one, lost)
	return true
}

// wait keeps a file for the next connection.
func (b *batch) wait(one file, lost error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, one)
	if b.lost == nil {
		b.lost = lost
	}
}

// giveUp ends the files that still wait.
func (b *batch) giveUp(ctx context.Context) {
	why := b.lost
	if ctx.Err() != nil {
		why = context.Cause(ctx)
	}
	for _, one := range b.waiting {
		if one.cut == nil {
			b.leave(one.progress, why)
			one.bar.End()
			continue
		}
		b.end(one.progress, one.cut)
	}
}

// end reports and counts the result of a file.
func (b *batch) end(p *progress, err error) {
	p.bar.End()
	b.report(p, err)
	b.count(p, err)
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
		if errors.As(err, new(*unsure)) {
			b.unsure++
		}
		if errors.As(err, new(*unproven)) {
			b.unproven++
		}
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
	e := fileEvent{Event: "done", Command: b.command, Name: p.name, Size: p.done.Load(), Resumed: p.skipped, SHA256: p.sum, Receipt: p.receipt}
	switch {
	case err == nil:
		e.Seconds = p.seconds()
		b.UI.Sayf("%s", p.summary(b.past, b.UI.Size))
	case errors.Is(err, errSame):
		e.Event = "same"
		b.UI.Sayf("%s: %v%s", p.name, err, p.receiptNote())
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

// result is the error of the command. lost is why it could not go on, if it could
// not.
func (b *batch) result(ctx context.Context, lost error) error {
	text := "the file was not transferred"
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(b.failed) == 0:
		return nil
	case len(b.all) > 1:
		text = fmt.Sprintf("%d of %d files failed", len(b.failed), len(b.all))
	case b.unproven > 0:
		text = "the file was sent, but there is no receipt of it"
	case b.unsure > 0:
		text = "the file was sent, but it is not known to be the same there"
	}
	return &failures{text, lost, b.denied}
}

// unsure is the error of a file that was published, and could not be found to be the
// same as here.
type unsure struct{ error }

func (u *unsure) Unwrap() error { return u.error }

// failures is the error of a command some of whose files failed. Why each of them
// did was said before.
type failures struct {
	text   string
	lost   error // why the command could not go on, if it could not
	denied map[string]bool
}

func (f *failures) Unwrap() error { return f.lost }

func (f *failures) Error() string { return f.text }

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
