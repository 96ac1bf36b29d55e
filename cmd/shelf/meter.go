package main

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"
)

// meter is how far one transfer is.
type meter struct {
	name    string       // as it was given, a path for put; print it printable
	size    int64        // bytes in all
	done    atomic.Int64 // bytes that are there, those of an earlier try included
	skipped int64        // bytes of an earlier try
	start   time.Time
	sum     string // SHA-256, if it was made
	checked bool   // and compared
	bar     *bar   // nil without a terminal
	began   func(*meter)

	expected int64 // bytes of it that the bar for all knows of
}

// begin is called when the size is known.
func (m *meter) begin(size int64) {
	m.size, m.start = size, time.Now()
	m.began(m)
}

// skip says that the first n bytes need not be moved.
func (m *meter) skip(n int64) {
	m.skipped = n
	m.done.Add(n)
	m.bar.skip(n)
}

// add counts bytes that are there.
func (m *meter) add(n int) {
	m.done.Add(int64(n))
	m.bar.add(int64(n))
}

// restart counts from 0 again.
func (m *meter) restart() { m.add(-int(m.done.Load())); m.skipped = 0 }

// needless tells whether all was there, and nothing was moved.
func (m *meter) needless() bool { return m.skipped > 0 && m.skipped == m.done.Load() }

// seconds is how long it has taken; no clock is that precise.
func (m *meter) seconds() float64 { return max(time.Since(m.start).Seconds(), 0.001) }

// summary is the line about a transfer that is done.
func (m *meter) summary(verb string) string {
	moved := m.done.Load() - m.skipped
	took := time.Since(m.start).Round(time.Millisecond)
	line := fmt.Sprintf("%s %s: %s in %s, %s/s", verb, printable(filepath.Base(m.name)), size(m.done.Load()), took, size(int64(float64(moved)/m.seconds())))
	if m.skipped > 0 {
		line += ", of which " + size(m.skipped) + " were there already"
	}
	if m.checked {
		line += ", SHA-256 compared"
	}
	return line
}
