package transfer

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"
)

// progress is how far the transfer of one file is.
type progress struct {
	name    string       // as it was given; for put a path
	as      string       // the name that it gets, if that is another one
	size    int64        // bytes in all
	done    atomic.Int64 // bytes that are there, with those of an earlier try
	skipped int64        // bytes of an earlier try
	start   time.Time
	sum     string // SHA-256, if it was made
	checked bool   // sum was compared with the server's
	receipt string // the file that has the receipt, if there is one
	bar     Bar
	began   func(*progress)
}

// noBar is the bar of a file where none is shown.
type noBar struct{}

func (noBar) Expect(int64) {}
func (noBar) Begin(int64)  {}
func (noBar) Add(int64)    {}
func (noBar) Skip(int64)   {}
func (noBar) End()         {}

// begin is called when the size is known.
func (p *progress) begin(size int64) {
	p.size, p.start = size, time.Now()
	p.bar.Begin(size)
	p.began(p)
}

// skip tells that the first n bytes need not be moved.
func (p *progress) skip(n int64) {
	p.skipped = n
	p.done.Add(n)
	p.bar.Skip(n)
}

// add counts bytes that have arrived.
func (p *progress) add(n int) {
	p.done.Add(int64(n))
	p.bar.Add(int64(n))
}

// restart counts from 0 again.
func (p *progress) restart() {
	p.add(-int(p.done.Load()))
	p.skipped = 0
}

// needless tells whether everything was there, so that nothing was moved.
func (p *progress) needless() bool { return p.skipped > 0 && p.skipped == p.done.Load() }

// seconds is how long the transfer has taken, and never 0.
func (p *progress) seconds() float64 { return max(time.Since(p.start).Seconds(), 0.001) }

// summary is the line about a file that was moved.
func (p *progress) summary(verb string, size func(int64) string) string {
	moved := p.done.Load() - p.skipped
	took := time.Since(p.start).Round(time.Millisecond)
	name := filepath.Base(p.name)
	if p.as != "" && p.as != name {
		name += " as " + p.as
	}
	line := fmt.Sprintf("%s %s: %s in %s, %s/s", verb, name, size(p.done.Load()), took, size(int64(float64(moved)/p.seconds())))
	if p.skipped > 0 {
		line += ", of which " + size(p.skipped) + " were there already"
	}
	if p.checked {
		line += ", SHA-256 compared"
	}
	return line + p.receiptNote()
}

func (p *progress) receiptNote() string {
	if p.receipt == "" {
		return ""
	}
	return ", receipt in " + p.receipt
}
