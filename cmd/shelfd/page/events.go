package page

import (
	"slices"
	"sync"
	"time"

	"shelf/sshd"
	"shelf/vfs"
)

// lastEvents is how many events are kept.
const lastEvents = 40

// events are the last ones.
type events struct {
	mu   sync.Mutex
	ring [lastEvents]event // mu
	next int               // place of the next one; mu
}

// event is one as the page shows it: texts of clients are visible.
type event struct {
	Time    time.Time `json:"time"`
	Op      string    `json:"op"`
	Account string    `json:"account"`
	Source  string    `json:"source"`
	Name    string    `json:"name"`
	Target  string    `json:"target"`
	Bytes   int64     `json:"bytes"`
	Reason  string    `json:"reason"`
}

func (l *events) add(e sshd.Event) {
	shown := event{
		Time: time.Now(), Op: e.Op, Account: e.Account, Source: e.Source, Name: e.Name, Target: e.Target, Bytes: e.Bytes,
	}
	if e.Err != nil {
		shown.Reason = e.Err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.next%lastEvents] = shown
	l.next++
}

// newest lists them, the newest first.
func (l *events) newest() []event {
	l.mu.Lock()
	all := make([]event, 0, lastEvents)
	for i := max(0, l.next-lastEvents); i < l.next; i++ {
		all = append(all, l.ring[i%lastEvents])
	}
	l.mu.Unlock()
	slices.Reverse(all)
	for i := range all {
		e := &all[i]
		for _, text := range []*string{&e.Op, &e.Account, &e.Source, &e.Name, &e.Target, &e.Reason} {
			*text = vfs.Escape(*text)
		}
	}
	return all
}
