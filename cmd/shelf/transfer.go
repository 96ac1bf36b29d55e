package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// transfers are the files that one command moves, some of them at a time.
type transfers struct {
	*shell
	command string // get or put
	past    string // and its past tense
	jobs    int
	limit   *rate.Limiter
	bars    *bars // nil without a terminal
	all     []transfer
	start   time.Time

	mu     sync.Mutex // guards what follows
	failed []string
	denied map[string]bool // of those, by the server
	lost   bool            // one of them for want of a connection
	left   int             // were not begun, and so failed
	done   int             // were moved
	same   int             // need not be
	moved  int64           // bytes
}

// transfer is one of them.
type transfer struct {
	*meter
	known error // what is known before it starts: that it will fail, or is done
	do    func(context.Context, *meter) error
}

// errSame is a file that need not be moved.
var errSame = errors.New("the same file is there already")

func (s *shell) newTransfers(command string, o *choices, files int) *transfers {
	t := &transfers{shell: s, command: command, past: command, limit: o.limit.limiter(), denied: make(map[string]bool)}
	if command == "get" {
		t.past = "got"
	}
	t.jobs = min(max(int(o.jobs), 1), max(files, 1), mostChannels)
	return t
}

func (t *transfers) add(name string, known error, do func(context.Context, *meter) error) {
	m := &meter{name: name, began: t.began}
	t.all = append(t.all, transfer{m, known, do})
}

// share is how many channels a transfer may have.
func (t *transfers) share() int { return mostChannels / t.jobs }

// run does them all. One that fails does not stop the rest, but Ctrl-C does.
func (t *transfers) run(ctx context.Context) error {
	t.start = time.Now()
	t.bars = t.newBars(len(t.all))
	measured := t.measure(ctx)
	next := make(chan transfer)
	var workers sync.WaitGroup
	for range t.jobs {
		workers.Go(func() {
			for one := range next {
				t.one(ctx, one)
			}
		})
	}
	for _, one := range t.all {
		next <- one
	}
	close(next)
	workers.Wait()
	measured()
	t.bars.end()
	if t.left > 0 {
		t.warnf("%s not begun", were(t.left))
	}
	t.summary()
	return t.result(ctx)
}

func (t *transfers) one(ctx context.Context, one transfer) {
	if err := t.stopped(ctx); err != nil {
		t.leave(one.meter, err)
		return
	}
	err := one.known
	if err == nil {
		err = one.do(ctx, one.meter)
	}
	if err == nil && t.command == "put" && one.needless() {
		err = errSame
	}
	t.bars.remove(one.meter)
	if errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	t.report(one.meter, err)
	t.count(one.meter, err)
}

// stopped tells why no more transfers are begun.
func (t *transfers) stopped(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case t.lost:
		return errLost
	}
	return nil
}

// leave counts a transfer that is not begun. People are told how many there are.
func (t *transfers) leave(m *meter, err error) {
	t.event(transferEvent{Event: "failed", Command: t.command, Name: m.name, Error: err.Error()})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = append(t.failed, m.name)
	t.left++
}

func (t *transfers) count(m *meter, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.done++
		t.moved += m.done.Load() - m.skipped
	case errors.Is(err, errSame):
		t.same++
	default:
		t.failed = append(t.failed, m.name)
		t.lost = t.lost || errors.Is(err, errLost)
		if s := (*status)(nil); errors.As(err, &s) && s.code == fxPermissionDenied {
			t.denied[m.name] = true
		}
	}
}

// transferEvent is what scripts are told of a file.
type transferEvent struct {
	Event   string  `json:"event"` // started, done, same or failed
	Command string  `json:"command"`
	Name    string  `json:"name"`
	Size    int64   `json:"size,omitempty"`
	Resumed int64   `json:"resumed_at,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	SHA256  string  `json:"sha256,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// began shows a transfer whose size is known.
func (t *transfers) began(m *meter) {
	m.bar = t.bars.add(m)
	t.event(transferEvent{Event: "started", Command: t.command, Name: m.name, Size: m.size})
}

func (t *transfers) report(m *meter, err error) {
	e := transferEvent{Event: "done", Command: t.command, Name: m.name, Size: m.done.Load(), Resumed: m.skipped, SHA256: m.sum}
	switch {
	case err == nil:
		e.Seconds = m.seconds()
		t.sayf("%s", m.summary(t.past))
	case errors.Is(err, errSame):
		e.Event = "same"
		t.sayf("%s: %v", printable(m.name), err)
	default:
		e.Event, e.Error = "failed", err.Error()
		t.warnf("%s: %v", printable(m.name), err)
	}
	t.event(e)
}

// summaryEvent is what scripts are told at the end of many transfers.
type summaryEvent struct {
	Event   string  `json:"event"` // summary
	Command string  `json:"command"`
	Done    int     `json:"done"`
	Same    int     `json:"same"`
	Failed  int     `json:"failed"`
	Moved   int64   `json:"moved"` // bytes
	Seconds float64 `json:"seconds"`
}

// summary sums up, if there were many.
func (t *transfers) summary() {
	if len(t.all) < 2 {
		return
	}
	took := max(time.Since(t.start), time.Millisecond)
	t.event(summaryEvent{"summary", t.command, t.done, t.same, len(t.failed), t.moved, took.Seconds()})
	var parts []string
	if t.done > 0 {
		parts = append(parts, fmt.Sprintf("%s %s: %s in %s, %s/s", t.past, count(t.done, "file"), size(t.moved), took.Round(time.Millisecond), size(int64(float64(t.moved)/took.Seconds()))))
	}
	if t.same > 0 {
		parts = append(parts, were(t.same)+" there already")
	}
	if len(parts) > 0 {
		t.sayf("%s", strings.Join(parts, "; "))
	}
}

func (t *transfers) result(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case len(t.failed) > 0 && len(t.all) > 1:
		return &failures{fmt.Sprintf("%d of %d files failed", len(t.failed), len(t.all)), t.lost, t.denied}
	case len(t.failed) > 0:
		return &failures{"the file was not transferred", t.lost, t.denied}
	}
	return nil
}

// failures is the error of a command some of whose files failed; why each did
// has been said.
type failures struct {
	text   string
	lost   bool
	denied map[string]bool
}

func (f *failures) Error() string        { return f.text }
func (f *failures) Is(target error) bool { return f.lost && target == errLost }

// shortName is what a bar has room for.
func shortName(name string) string {
	const room = 24
	r := []rune(printable(filepath.Base(name)))
	if len(r) > room {
		r = append(r[:room-1], '…')
	}
	return string(r)
}
