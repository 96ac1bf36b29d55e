// Package backlog bounds what x/crypto keeps of a connection: what the client has sent
// and nobody has read, and what waits to be sent while keys are exchanged.
//
//	backlog.go  Backlog: what a client has sent, as a part of its account's budget
//	queue.go    Queue: how much that is of a channel, from inside x/crypto
//	steady.go   Steady: a channel whose program waits for the end of a key exchange
package backlog

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/sshd/budget"
)

const (
	// step is how much arrives, in bytes, between two looks at what is unread.
	step = 64 << 10

	// free is how much of that a connection may have of its own, in bytes.
	free = 64 << 10

	// patience is how long a connection whose account has no memory left waits
	// for its own programs to read something.
	patience = time.Minute

	// maxRequest is the longest channel request, in bytes: the longest packet of
	// x/crypto.
	maxRequest = 256 << 10
)

// Backlog is what a client has sent on its connection and nobody has read. A client
// may fill the window of each channel whether its program reads or not, and x/crypto
// keeps all of it. So it is taken from the memory of the account, and nothing
// more is read from the network while there is none. For clients whose data is
// handled, that is never.
type Backlog struct {
	share *budget.Share
	ctx   context.Context // of the connection

	seen int64 // bytes received, at the last look; for the goroutine that reads

	mu       sync.Mutex
	queues   map[*Queue]struct{} // mu
	channels <-chan ssh.NewChannel
	requests <-chan *ssh.Request
	waiting  func() int64
	taken    int64       // of the budget; mu
	looking  *time.Timer // to give back what is read meanwhile; nil if nothing is taken; mu
}

// New bounds what comes on a connection, in a share of the budget. channels and
// requests are those of the connection that nobody has taken yet; waiting is how many
// bytes were received since a write began that still waits for the client.
func New(ctx context.Context, share *budget.Share, channels <-chan ssh.NewChannel, requests <-chan *ssh.Request, waiting func() int64) *Backlog {
	return &Backlog{share: share, ctx: ctx, queues: make(map[*Queue]struct{}), channels: channels, requests: requests, waiting: waiting}
}

// errFull ends a connection whose account has too much unread data.
var errFull = errors.New("nothing was read of what the client had sent, for a minute, and its account may not have more (account_limits.memory)")

// Await is called before more is read from the network; received is how much was, in
// bytes. The error is that the connection has to end.
func (b *Backlog) Await(received int64) error {
	if received-b.seen < step {
		return nil
	}
	b.seen = received
	least, waited := b.Size(), time.Duration(0)
	for wait := time.Millisecond; !b.settle(); wait = min(2*wait, 50*time.Millisecond) {
		if waited += wait; waited > patience {
			return errFull
		}
		select {
		case <-b.ctx.Done():
			return context.Cause(b.ctx)
		case <-time.After(wait):
		}
		if size := b.Size(); size < least { // slow programs read as well
			least, waited = size, 0
		}
	}
	return nil
}

// settle takes memory for what is unread, or gives it back. It is false if there is
// not enough.
func (b *Backlog) settle() (enough bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	needed := max(0, b.size()-free)
	switch {
	case needed <= b.taken:
		b.share.Give(budget.Memory, b.taken-needed)
		b.taken, enough = needed, true
	case b.share.Take(budget.Memory, needed-b.taken) == nil:
		b.taken, enough = needed, true
	}
	if b.taken > 0 && b.looking == nil {
		b.looking = time.AfterFunc(time.Second, b.look)
	}
	return enough
}

// look gives back what was read since. A client that sends nothing more brings
// nobody else to look.
func (b *Backlog) look() {
	b.mu.Lock()
	b.looking = nil
	b.mu.Unlock()
	if b.ctx.Err() == nil {
		b.settle()
	}
}

// Size is how much there is, in bytes.
func (b *Backlog) Size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size()
}

// size is Size, with mu held.
func (b *Backlog) size() (n int64) {
	n = maxRequest*int64(len(b.channels)+len(b.requests)) + b.waiting()
	for q := range b.queues {
		size := q.size()
		if size == math.MaxInt64 {
			return size
		}
		n += size
	}
	return n
}

// Add counts a channel until done is called.
func (b *Backlog) Add(channel ssh.Channel, requests <-chan *ssh.Request) (q *Queue, done func()) {
	q = newQueue(channel, requests)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queues[q] = struct{}{}
	return q, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.queues, q)
	}
}
