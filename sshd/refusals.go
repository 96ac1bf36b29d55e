package sshd

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"shelf/sshd/slots"
)

// maxUntried is how many connections a second that end without a try to log in
// are reported one by one.
const maxUntried = 10

// refusals counts the connections that are turned away, and writes one line a
// second about them to the log: with a line for each a flood would fill the disk.
type refusals struct {
	log func() *slog.Logger

	mu      sync.Mutex
	counts  map[string]int   // of this second, by reason; mu
	total   map[string]int64 // since the start, by the word for the reason; mu
	last    string           // source; mu
	untried int              // reported one by one; mu
	pending *time.Timer      // until this second is over; nil if it has not begun; mu
}

func newRefusals(log func() *slog.Logger) *refusals {
	return &refusals{log: log, counts: make(map[string]int), total: make(map[string]int64)}
}

// add counts one. The innermost error says which kind it is.
func (r *refusals) add(why error, source net.Addr) {
	for inner := errors.Unwrap(why); inner != nil; inner = errors.Unwrap(inner) {
		why = inner
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
	r.counts[why.Error()]++
	r.total[refusalWord(why)]++
	r.last = source.String()
}

// refusalWord is a word for each kind of refusal.
func refusalWord(why error) string {
	switch {
	case errors.Is(why, errPenalized):
		return "penalized"
	case errors.Is(why, slots.ErrFull):
		return "max_startups"
	case errors.Is(why, slots.ErrSource):
		return "per_source_max_startups"
	case errors.Is(why, errBusy):
		return "busy"
	case errors.Is(why, errUntried):
		return "untried"
	}
	return "other"
}

// totals are how many were refused since the start, for each reason.
func (r *refusals) totals() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]int64{"penalized": 0, "max_startups": 0, "per_source_max_startups": 0, "busy": 0, "untried": 0}
	maps.Copy(all, r.total)
	return all
}

// errUntried is the kind of connections that end without a try to log in.
var errUntried = errors.New("the connection ended before a try to log in")

// errUnreported is the kind of tries to log in that have no event of their own, for
// there were too many.
var errUnreported = errors.New("a try to log in failed")

// report tells whether one that ended without a try to log in may have an event
// of its own, or else counts it.
func (r *refusals) report(source net.Addr) bool {
	r.mu.Lock()
	r.begin()
	r.untried++
	alone := r.untried <= maxUntried
	r.mu.Unlock()
	if !alone {
		r.add(errUntried, source)
	}
	return alone
}

// begin begins a second, unless it has begun. It is called with mu held.
func (r *refusals) begin() {
	if r.pending == nil {
		r.pending = time.AfterFunc(time.Second, r.flush)
	}
}

// flush writes the line of this second, and ends it.
func (r *refusals) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending == nil {
		return
	}
	r.pending.Stop()
	r.pending, r.untried = nil, 0
	if len(r.counts) == 0 {
		return
	}
	all := 0
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(r.counts)) {
		all += r.counts[reason]
		reasons = append(reasons, fmt.Sprintf("%s (%d)", reason, r.counts[reason]))
	}
	r.log().Warn("connections refused", "count", all, "last_source", r.last, "reason", strings.Join(reasons, "; "))
	clear(r.counts)
}
