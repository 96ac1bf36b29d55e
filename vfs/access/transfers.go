package access

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Transfers knows which files some sessions read or write now, for whoever
// watches from another goroutine. The bytes of a transfer are counted without a
// lock. The zero value is ready for use.
type Transfers struct {
	Total *Traffic // counts their bytes too; may be nil

	mu  sync.Mutex
	now []*transfer // mu
}

// Traffic is how many bytes of content have been moved, ever.
type Traffic struct{ Received, Sent atomic.Int64 }

// Transfer is a file that is read or written now.
type Transfer struct {
	Upload  bool
	Name    string // as the client sent it, unescaped
	Bytes   int64  // moved so far, in bytes
	Size    int64  // of the whole, in bytes; -1 is that nobody knows
	Started time.Time
}

// Now lists what is under way, the oldest first.
func (t *Transfers) Now() []Transfer {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Transfer, 0, len(t.now))
	for _, x := range t.now {
		all = append(all, Transfer{x.upload, x.name, x.bytes.Load(), x.size.Load(), x.started})
	}
	return all
}

// transfer is one of them. A nil transfer is one that nobody watches.
type transfer struct {
	in      *Transfers
	upload  bool
	started time.Time
	name    string // in.mu
	bytes   atomic.Int64
	size    atomic.Int64
}

// begin adds a transfer; a nil Transfers watches none.
func (t *Transfers) begin(upload bool, name string, size int64) *transfer {
	if t == nil {
		return nil
	}
	x := &transfer{in: t, upload: upload, started: time.Now(), name: name}
	x.size.Store(size)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = append(t.now, x)
	return x
}

// moved counts bytes.
func (x *transfer) moved(n int) {
	if x == nil || n == 0 {
		return
	}
	x.bytes.Add(int64(n))
	switch total := x.in.Total; {
	case total == nil:
	case x.upload:
		total.Received.Add(int64(n))
	default:
		total.Sent.Add(int64(n))
	}
}

// sized notes how many bytes there will be.
func (x *transfer) sized(size int64) {
	if x != nil {
		x.size.Store(size)
	}
}

func (x *transfer) renamed(name string) {
	if x == nil {
		return
	}
	x.in.mu.Lock()
	defer x.in.mu.Unlock()
	x.name = name
}

// end may be called again.
func (x *transfer) end() {
	if x == nil {
		return
	}
	x.in.mu.Lock()
	defer x.in.mu.Unlock()
	x.in.now = slices.DeleteFunc(x.in.now, func(other *transfer) bool { return other == x })
}
