package page

import (
	"sync"
	"sync/atomic"
	"time"

	"shelf/cmd/shelfd/admin"
	"shelf/sshd"
)

const (
	step    = 10 * time.Second
	samples = int(time.Hour / step)
)

// history is what happened in each step of the last hour.
type history struct {
	logins, refusals atomic.Int64 // since the start

	mu    sync.Mutex
	last  counts   // mu
	begun bool     // there is a last; mu
	hour  []counts // the newest is the last; mu
}

// counts are sums since the start, or what was added to them in a step.
type counts struct{ received, sent, logins, refusals int64 }

func (h *history) event(e sshd.Event) {
	switch e.Op {
	case sshd.OpLogin:
		h.logins.Add(1)
	case sshd.OpRefusal:
		h.refusals.Add(1)
	}
}

// sample ends a step.
func (h *history) sample(t admin.Traffic, refused []admin.Refused) {
	now := counts{t.Received, t.Sent, h.logins.Load(), h.refusals.Load()}
	for _, r := range refused {
		now.refusals += r.Count
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begun {
		was := h.last
		h.hour = append(h.hour, counts{now.received - was.received, now.sent - was.sent, now.logins - was.logins, now.refusals - was.refusals})
		h.hour = h.hour[max(0, len(h.hour)-samples):]
	}
	h.last, h.begun = now, true
}

// series are the counts of the last hour, a list for each.
type series struct {
	Step     float64 `json:"step_seconds"`
	Received []int64 `json:"received_bytes"`
	Sent     []int64 `json:"sent_bytes"`
	Logins   []int64 `json:"logins"`
	Refusals []int64 `json:"refusals"`
}

func (h *history) series() series {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := series{Step: step.Seconds(), Received: []int64{}, Sent: []int64{}, Logins: []int64{}, Refusals: []int64{}}
	for _, c := range h.hour {
		s.Received, s.Sent = append(s.Received, c.received), append(s.Sent, c.sent)
		s.Logins, s.Refusals = append(s.Logins, c.logins), append(s.Refusals, c.refusals)
	}
	return s
}
