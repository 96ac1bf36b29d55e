package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

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
	mu      sync.Mutex // guards failed
	failed  []string
	lost    bool // one of them for want of a connection
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
	t := &transfers{shell: s, command: command, past: map[string]string{"get": "got"}[command], limit: o.limit.limiter()}
	if t.past == "" {
		t.past = command
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
	return t.result(ctx)
}

func (t *transfers) one(ctx context.Context, one transfer) {
	err := one.known
	if ctx.Err() != nil {
		err = errInterrupted
	}
	if err == nil {
		err = one.do(ctx, one.meter)
	}
	t.bars.remove(one.meter)
	if errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	t.report(one.meter, err)
	if err != nil && !errors.Is(err, errSame) {
		t.mu.Lock()
		t.failed = append(t.failed, one.name)
		t.lost = t.lost || errors.Is(err, errLost)
		t.mu.Unlock()
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

func (t *transfers) result(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case len(t.failed) > 0 && len(t.all) > 1:
		return &failures{fmt.Sprintf("%d of %d files failed", len(t.failed), len(t.all)), t.lost}
	case len(t.failed) > 0:
		return &failures{"the file was not transferred", t.lost}
	}
	return nil
}

// failures is the error of a command some of whose files failed; why each did
// has been said.
type failures struct {
	text string
	lost bool
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
