package ui

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// Bars are shown on a terminal while files move: one for each file, and one for
// all of them.
type Bars struct {
	ui    *UI
	out   *os.File // the terminal
	all   *mpb.Progress
	total *line // nil for a single file

	mu    sync.Mutex // guards sizes, and Bar.expected
	sizes int64      // of all files, as far as they are known
}

// Bar is the progress bar of one file. It is drawn from Begin to End.
type Bar struct {
	bars     *Bars
	name     string
	expected int64        // what the bar for all files counts for it, in bytes
	done     atomic.Int64 // bytes that are there
	line     *line        // nil before Begin
}

// line is a bar that is drawn. A nil one can be used, too.
type line struct {
	*mpb.Bar
	moved atomic.Int64
	start time.Time
}

// steady draws the bars where they were, whatever keys were pressed meanwhile. A
// terminal echoes keys, such as ^C, at the place from which the bars are drawn.
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

// NewBars begins to show bars for so many files. It is nil if there is no
// terminal, or if nothing is to be printed.
func (u *UI) NewBars(files int) *Bars {
	out := terminalOf(u.Out)
	if u.Quiet || u.JSON || out == nil {
		return nil
	}
	if width(out) == 0 {
		return nil // no bar would be visible
	}
	b := &Bars{ui: u, out: out, all: mpb.New(mpb.WithConsoleWriter(steady{cupwriter.New(out, false), out}), mpb.WithWidth(64), mpb.WithRefreshRate(100*time.Millisecond))}
	if files > 1 {
		b.total = b.draw(fmt.Sprintf("all %d files", files), 0, 1)
	}
	u.mu.Lock()
	u.above = b.all
	u.mu.Unlock()
	return b
}

func (b *Bars) draw(name string, size int64, priority int) *line {
	l := &line{start: time.Now()}
	room, done := longName, decor.CountersKibiByte("% .1f / % .1f", decor.WCSyncSpace)
	if width(b.out) < wholeBar {
		room, done = shortName, decor.NewPercentage("%d", decor.WCSyncSpace)
	}
	l.Bar = b.all.AddBar(size, mpb.BarRemoveOnComplete(), mpb.BarPriority(priority),
		mpb.PrependDecorators(decor.Name(shortened(name, room), decor.WCSyncSpaceR), done),
		mpb.AppendDecorators(decor.Any(l.rate, decor.WCSyncSpace), decor.Any(l.eta, decor.WCSyncSpace)))
	return l
}

// The widths of a bar, in columns. What does not fit is cut off at the end, where the
// time that is left stands. So on a terminal that is narrower than a whole bar the
// name is shorter, and there is a percentage instead of two sizes.
const (
	wholeBar  = 76
	longName  = 24
	shortName = 12
)

// width is how many columns a terminal has, or 0 if it does not tell.
func width(terminal *os.File) int {
	w, _, err := term.GetSize(int(terminal.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// New is the bar of a file, which is not drawn yet.
func (b *Bars) New(name string) *Bar { return &Bar{bars: b, name: name} }

// Expect tells the bar for all files how large this one is, also before it
// begins. Only what exceeds an earlier size is added: the bar never gets shorter.
func (b *Bar) Expect(size int64) {
	if b.bars.total == nil {
		return
	}
	b.bars.mu.Lock()
	defer b.bars.mu.Unlock()
	if more := size - b.expected; more > 0 {
		b.expected += more
		b.bars.sizes += more
		b.bars.total.SetTotal(b.bars.sizes, false)
	}
}

// Begin draws the bar.
func (b *Bar) Begin(size int64) {
	b.Expect(size)
	b.line.end() // of a try before this one
	b.line = b.bars.draw(filepath.Base(b.name), size, 0)
}

// Add counts bytes that were moved.
func (b *Bar) Add(n int64) {
	b.done.Add(n)
	b.line.add(n)
	b.bars.total.add(n)
}

// Skip counts bytes that need not be moved: they make the bar longer, and do not
// count for its rate.
func (b *Bar) Skip(n int64) {
	b.done.Add(n)
	b.line.skip(n)
	b.bars.total.skip(n)
}

// End takes the bar away. What was not moved by now never will be.
func (b *Bar) End() {
	b.line.end()
	b.bars.mu.Lock()
	defer b.bars.mu.Unlock()
	b.bars.total.skip(max(b.expected-b.done.Load(), 0))
}

// End takes all bars away. Lines printed above the bars wait until the bars are
// drawn the next time, so the last bar must end after the last line. If there is
// no bar for all files, an invisible one does that.
func (b *Bars) End() {
	last := b.total
	if last == nil {
		last = &line{Bar: b.all.New(0, mpb.NopStyle(), mpb.BarRemoveOnComplete())}
	}
	last.end()
	b.all.Wait()
	b.ui.mu.Lock()
	b.ui.above = nil
	b.ui.mu.Unlock()
}

func (l *line) add(n int64) {
	if l != nil {
		l.moved.Add(n)
		l.IncrInt64(n)
	}
}

func (l *line) skip(n int64) {
	if l != nil {
		l.IncrInt64(n)
	}
}

func (l *line) end() {
	if l != nil {
		l.Abort(true)
	}
}

// perSecond is the mean rate so far, in bytes.
func (l *line) perSecond() float64 {
	return float64(max(l.moved.Load(), 0)) / max(time.Since(l.start).Seconds(), 0.001)
}

func (l *line) rate(decor.Statistics) string { return Size(int64(l.perSecond())) + "/s" }

func (l *line) eta(s decor.Statistics) string {
	r := l.perSecond()
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

// shortened is as much of a name as there is room for.
func shortened(name string, room int) string {
	r := []rune(Printable(name))
	if len(r) > room {
		r = append(r[:room-1], '…')
	}
	return string(r)
}
