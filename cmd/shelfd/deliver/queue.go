package deliver

import (
	"container/heap"
	"time"
)

// queue is what waits for a receiver. Events about the same file go one after the
// other, in the order in which they came; others do not wait for them.
type queue struct {
	all    map[string]*event   // by id
	byFile map[string][]*event // those with a key, in their order
	ready  dueHeap             // the first of all their files, and not under way
	order  []*event            // all in their order, with holes where those were that are done
	bytes  int                 // of their texts
}

func newQueue() *queue {
	return &queue{all: make(map[string]*event), byFile: make(map[string][]*event)}
}

// add adds an event at the end. One that is there already is not added.
func (q *queue) add(e *event) bool {
	if q.all[e.ID] != nil {
		return false
	}
	q.all[e.ID] = e
	q.bytes += len(e.text)
	q.order = append(q.order, e)
	for _, k := range e.keys {
		q.byFile[k] = append(q.byFile[k], e)
	}
	if q.isFirst(e) {
		heap.Push(&q.ready, e)
	}
	return true
}

func (q *queue) isFirst(e *event) bool {
	for _, k := range e.keys {
		if q.byFile[k][0] != e {
			return false
		}
	}
	return true
}

// next takes the event out of those that are ready that is due first, if it is due.
func (q *queue) next(now time.Time) *event {
	if len(q.ready) == 0 || q.ready[0].due.After(now) {
		return nil
	}
	return heap.Pop(&q.ready).(*event)
}

// due is when the next one is due; zero is that none is ready.
func (q *queue) due() time.Time {
	if len(q.ready) == 0 {
		return time.Time{}
	}
	return q.ready[0].due
}

// again puts back what next took.
func (q *queue) again(e *event) { heap.Push(&q.ready, e) }

// done drops what next took, and lets those go that waited for it.
func (q *queue) done(e *event) {
	delete(q.all, e.ID)
	q.bytes -= len(e.text)
	var freed []*event
	for _, k := range e.keys {
		if q.byFile[k] = q.byFile[k][1:]; len(q.byFile[k]) == 0 {
			delete(q.byFile, k)
		} else {
			freed = append(freed, q.byFile[k][0])
		}
	}
	for i, f := range freed {
		if q.isFirst(f) && (i == 0 || f != freed[0]) {
			heap.Push(&q.ready, f)
		}
	}
	q.squeeze()
}

// squeeze drops the holes when they are most of it.
func (q *queue) squeeze() {
	if len(q.order) < 64 || len(q.order) < 2*len(q.all) {
		return
	}
	q.order = q.waiting()
}

// waiting are all events, in their order.
func (q *queue) waiting() []*event {
	all := make([]*event, 0, len(q.all))
	for _, e := range q.order {
		if q.all[e.ID] == e {
			all = append(all, e)
		}
	}
	return all
}

// oldest is the event that waits longest; nil is that none does.
func (q *queue) oldest() *event {
	for i, e := range q.order {
		if q.all[e.ID] == e {
			q.order = q.order[i:]
			return e
		}
	}
	return nil
}

// hurry brings the events forward that had no answer: they are due a while after
// their last try.
func (q *queue) hurry(within time.Duration) {
	for _, e := range q.ready {
		if at := e.tried.Add(within); e.silent && at.Before(e.due) {
			e.due = at
		}
	}
	heap.Init(&q.ready)
}

// allDue has all events be due now.
func (q *queue) allDue() {
	for _, e := range q.ready {
		e.due = time.Time{}
	}
	heap.Init(&q.ready)
}

// dueHeap has what is due first at its top; of two that are due together, the one that
// happened first.
type dueHeap []*event

func (h dueHeap) Len() int      { return len(h) }
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h dueHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].Seq < h[j].Seq
}

// Push implements [heap.Interface].
func (h *dueHeap) Push(x any) { *h = append(*h, x.(*event)) }

// Pop implements [heap.Interface].
func (h *dueHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
