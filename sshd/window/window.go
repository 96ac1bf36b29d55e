// Package window widens the receive window of a channel (RFC 4254 section 5.2)
// while much comes from far away. A client may send what fits into the window, and
// must then wait for more to be granted: so what x/crypto grants, 2 MiB, is what an
// upload can move in a round trip.
//
//	window.go  Window: a channel that grants as much as the link needs
//	budget.go  Pool: what all windows may take together, and Budget: an account of them
//	field.go   the window inside x/crypto
//
// What a client was granted it may send at any time, and the server has to keep it
// until it is read. So the bytes come from a [Budget]. SSH has no way to take back what
// was granted: a window becomes narrower only as bytes of it are read and not
// granted again.
package window

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// usual is the window of x/crypto, in bytes.
	usual = 2 << 20

	// widest is the widest window, in bytes: 1 Gbit/s at a round trip of a quarter
	// of a second.
	widest = 32 << 20

	// grantStep is how many bytes are read before they are granted again. The least
	// window is many of them, so that the client never waits.
	grantStep = usual / 8

	// Near is the longest round trip for which the usual window is enough: 4 Gbit/s.
	Near = 4 * time.Millisecond

	// request is more than requests without data have, in bytes.
	request = 8 << 10

	// unused is how many round trips it takes until a window of which less than a
	// twentieth is used becomes narrower.
	unused = 8
)

// Window is a channel whose window follows what its link needs. Read must not be
// called by two goroutines at a time.
type Window struct {
	ssh.Channel
	field     field
	usable    bool // x/crypto has the field
	roundTrip *atomic.Int64
	budget    Budget

	moved int64         // bytes that were read since then
	since time.Time     // when the sample began; zero if nothing was read
	waits time.Duration // of the time since then, what was spent waiting for the client
	burst int64         // bytes that were read since the last of these waits
	speed float64       // bytes per second of the sample before
	owed  int64         // bytes to be granted
	spare int64         // bytes of extra not to be granted again

	mu    sync.Mutex // guards what follows
	extra int64      // bytes that the window has beyond the usual ones
	taken int64      // what of them is taken from the budget: none in a rest
}

// New watches over a channel. roundTrip is how long it takes to the client and back,
// in nanoseconds, and 0 while that is not known. What the window has beyond the usual
// 2 MiB comes from a budget.
func New(channel ssh.Channel, roundTrip *atomic.Int64, b Budget) *Window {
	w := &Window{Channel: channel, roundTrip: roundTrip, budget: b}
	w.field, w.usable = fieldOf(channel)
	return w
}

// Read implements [io.Reader].
func (w *Window) Read(p []byte) (int, error) {
	far := time.Duration(w.roundTrip.Load())
	if w.since.IsZero() && (far <= Near || !w.usable) {
		return w.Channel.Read(p)
	}
	start := time.Now()
	n, err := w.read(p)
	if n > 0 {
		w.wake()
		w.measure(int64(n), far, start, time.Now())
	}
	return n, err
}

// read reads, and grants as many bytes again but those to be spared.
func (w *Window) read(p []byte) (n int, err error) {
	if w.owed >= grantStep {
		n, err = w.field.readAndGrant(p, w.owed)
		w.owed = 0
		return n, err
	}
	n, err = w.field.read(p)
	kept := min(int64(n)/2, w.spare)
	w.owed += int64(n) - kept
	w.spare -= kept
	w.give(kept)
	return n, err
}

// measure finds out how much is under way on a link that is full: what the client
// sends while it may send, in a round trip. While it may not, nothing comes for most
// of a round trip, and that does not count.
//
// More would be worse than useless. What a client may send and the link does not take
// yet lies in its memory, and OpenSSH's moves all of that for each packet.
func (w *Window) measure(n int64, far time.Duration, start, now time.Time) {
	if w.since.IsZero() {
		w.since = now
		return
	}
	took, has := now.Sub(w.since), w.size()
	// A slow link has a wait before each packet: those are not meant.
	if waited := now.Sub(start); waited > far/8 && (w.burst > has/4 || w.moved < request) {
		w.waits += waited
		w.burst = 0
	}
	w.moved += n
	w.burst += n
	idle := took > unused*far
	if w.moved < has*3/8 && !idle {
		return
	}
	// Of two samples the slower one counts, since what had to wait here comes at
	// once.
	speed := float64(w.moved) / max(took-w.waits, time.Millisecond).Seconds()
	need := needed(min(speed, w.speed), far)
	least := needed(max(speed, w.speed), far)
	switch {
	case idle:
		w.narrow(has / 2)
	case need > has:
		w.widen(need)
	case 2*least < has:
		w.narrow(2 * least)
	}
	w.moved, w.since, w.waits, w.speed = 0, now, 0, speed
}

// needed is the window for a speed in bytes per second: what is under way then, and
// a quarter, since nothing is quite regular.
func needed(speed float64, far time.Duration) int64 {
	return int64(min(1.25*speed*far.Seconds()+grantStep, widest))
}

// size is how wide the window is, or will soon be.
func (w *Window) size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return usual + w.extra - w.spare
}

// widen takes what the window lacks from the budget.
func (w *Window) widen(size int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken < w.extra {
		return // others have what is missing
	}
	w.spare = 0
	more := w.budget.Take(max(0, size-usual-w.extra))
	w.extra += more
	w.taken += more
	w.owed += more
}

// narrow has a part of the window not granted again.
func (w *Window) narrow(size int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spare = min(w.extra, max(w.spare, usual+w.extra-size))
}

// give gives back what is not granted again.
func (w *Window) give(n int64) {
	if n == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.extra -= n
	w.keep(w.extra)
}

// keep gives back to the budget what is more than n; mu is held.
func (w *Window) keep(n int64) {
	if back := w.taken - n; back > 0 {
		w.taken = n
		w.budget.Give(back)
	}
}

// Rest is called when nothing has come for a while. The client keeps its window, and
// others can have what it took of the budget. Any goroutine may call it.
func (w *Window) Rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(0)
}

// wake is the end of a rest. What others have meanwhile the window gives up.
func (w *Window) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken < w.extra {
		w.taken += w.budget.Take(w.extra - w.taken)
		w.spare = max(w.spare, w.extra-w.taken)
	}
}

// End gives everything back. It is called when the client has closed the channel.
func (w *Window) End() { w.Rest() }
