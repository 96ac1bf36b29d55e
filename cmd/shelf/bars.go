package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// bars are shown on a terminal while files move: one a file, and one for all.
type bars struct {
	ui    *ui
	all   *mpb.Progress
	total *bar // nil for a single file

	mu    sync.Mutex // guards what follows, and what meters have of it
	sizes int64      // of all files, as far as they are known
}

// bar is one of them.
type bar struct {
	*mpb.Bar
	total *bar
	moved atomic.Int64
	start time.Time
}

// steady draws bars where they were, whatever keys were pressed meanwhile: the
// terminal shows those, ^C above all, behind the place from which they are drawn.
type steady struct {
	*cupwriter.Writer
	out io.Writer
}

func (s steady) Flush(lines int) error {
	if _, err := io.WriteString(s.out, "\r"); err != nil {
		return err
	}
	return s.Writer.Flush(lines)
}

// newBars is nil without a terminal, or when nothing is to be said; a nil bar
// can be used like any other.
func (t *transfers) newBars(files int) *bars {
	out := terminalOf(t.out)
	if t.quiet || t.json || out == nil {
		return nil
	}
	if width, _, err := term.GetSize(int(out.Fd())); err != nil || width == 0 {
		return nil // it has no size, and nothing to see would be drawn
	}
	b := &bars{ui: t.ui, all: mpb.New(mpb.WithConsoleWriter(steady{cupwriter.New(out, false), out}), mpb.WithWidth(64), mpb.WithRefreshRate(100*time.Millisecond))}
	if files > 1 {
		b.total = b.new(fmt.Sprintf("all %d files", files), 0, 1)
	}
	t.ui.mu.Lock()
	t.ui.bars = b.all
	t.ui.mu.Unlock()
	return b
}

func (b *bars) new(name string, size int64, priority int) *bar {
	n := &bar{start: time.Now()}
	n.Bar = b.all.AddBar(size, mpb.BarRemoveOnComplete(), mpb.BarPriority(priority),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR), decor.CountersKibiByte("% .1f / % .1f", decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.Any(n.rate, decor.WCSyncSpace), decor.Any(n.eta, decor.WCSyncSpace)))
	return n
}

// add shows a file.
func (b *bars) add(m *meter) *bar {
	if b == nil {
		return nil
	}
	b.expect(m, m.size)
	n := b.new(shortName(m.name), m.size, 0)
	n.total = b.total
	return n
}

// expect has the bar for all know of a file's size, also before it begins. What
// is more than was known is added: the bar never becomes shorter.
func (b *bars) expect(m *meter, size int64) {
	if b == nil || b.total == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if more := size - m.expected; more > 0 {
		m.expected += more
		b.sizes += more
		b.total.SetTotal(b.sizes, false)
	}
}

// remove takes a file's bar away. What was not moved of it never will be.
func (b *bars) remove(m *meter) {
	m.bar.end()
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total.skip(max(m.expected-m.done.Load(), 0))
}

// add counts bytes that are there. What an earlier try left counts for the
// length of the bar and not for its rate; see skip.
func (b *bar) add(n int64) {
	if b == nil {
		return
	}
	b.moved.Add(n)
	b.IncrInt64(n)
	b.total.add(n)
}

// skip counts bytes that need not be moved.
func (b *bar) skip(n int64) {
	if b == nil {
		return
	}
	b.IncrInt64(n)
	b.total.skip(n)
}

// perSecond is the mean rate so far, in bytes.
func (b *bar) perSecond() float64 {
	return float64(max(b.moved.Load(), 0)) / max(time.Since(b.start).Seconds(), 0.001)
}

func (b *bar) rate(decor.Statistics) string { return size(int64(b.perSecond())) + "/s" }

func (b *bar) eta(s decor.Statistics) string {
	r := b.perSecond()
	if r < 1 || s.Total < s.Current {
		return "--:--"
	}
	left := time.Duration(float64(s.Total-s.Current)/r) * time.Second
	if left >= 100*time.Hour {
		return "--:--"
	}
	if left >= time.Hour {
		return fmt.Sprintf("%d:%02d:%02d", int(left.Hours()), int(left.Minutes())%60, int(left.Seconds())%60)
	}
	return fmt.Sprintf("%02d:%02d", int(left.Minutes()), int(left.Seconds())%60)
}

// end takes the bar away.
func (b *bar) end() {
	if b != nil {
		b.Abort(true)
	}
}

// end takes all away. What was said above the bars waits until they are drawn
// the next time, so that the last of them must end after the last word: where
// there is none for that, one without a look.
func (b *bars) end() {
	if b == nil {
		return
	}
	if b.total == nil {
		b.total = &bar{Bar: b.all.New(0, mpb.NopStyle(), mpb.BarRemoveOnComplete())}
	}
	b.total.end()
	b.all.Wait()
	b.ui.mu.Lock()
	b.ui.bars = nil
	b.ui.mu.Unlock()
}
