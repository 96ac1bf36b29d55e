package backlog

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shelf/sshd/budget"
)

const mib = 1 << 20

// unread is a connection of an account that may have 4 MiB, with one channel.
type unread struct {
	*Backlog
	buffer *unreadBuffer
	memory *budget.Budget
	other  *budget.Share // another connection of the account
}

func newUnread(t *testing.T, ctx context.Context) *unread {
	t.Helper()
	var l budget.Limits
	for k := range l.Of {
		l.Of[k] = budget.Limit{Account: 4 * mib, All: 64 * mib}
	}
	u := &unread{memory: budget.New(l)}
	share, err := u.memory.Enter("ann", 0)
	if err != nil {
		t.Fatal(err)
	}
	if u.other, err = u.memory.Enter("ann", 0); err != nil {
		t.Fatal(err)
	}
	u.Backlog = New(ctx, share, nil, nil, func() int64 { return 0 })
	last := new(unreadPiece)
	u.buffer = &unreadBuffer{Cond: sync.NewCond(new(sync.Mutex)), head: last, tail: last}
	empty := &unreadBuffer{Cond: sync.NewCond(new(sync.Mutex)), head: new(unreadPiece)}
	u.queues[&Queue{data: [2]*unreadBuffer{u.buffer, empty}}] = struct{}{}
	return u
}

// has sets how much is unread, in bytes.
func (u *unread) has(n int) {
	u.buffer.L.Lock()
	defer u.buffer.L.Unlock()
	u.buffer.head.buf = make([]byte, n)
}

// A look that finds no memory for more does not keep what was taken before.
func TestWhatWasReadIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		u := newUnread(t, ctx)
		u.has(2 * mib)
		if err := u.Await(step); err != nil {
			t.Fatal(err)
		}
		rest := u.other.Some(budget.Memory, 4*mib)
		u.has(3 * mib)
		time.Sleep(2 * time.Second)
		u.has(0)
		time.Sleep(2 * time.Second)
		if got := u.memory.Used(budget.Memory) - rest; got != 0 {
			t.Errorf("nothing is unread, and %d bytes are taken", got)
		}
		end()
	})
}

// A connection whose programs read slowly is not ended, one whose programs do not
// read is.
func TestSlowProgramsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUnread(t, t.Context())
		u.other.Take(budget.Memory, 4*mib)
		const size = free + 20
		u.has(size)
		go func() {
			for n := range 20 {
				time.Sleep(patience / 2)
				u.has(size - n - 1)
			}
		}()
		start := time.Now()
		if err := u.Await(step); err != nil || time.Since(start) < 9*patience {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		u.has(size)
		if err := u.Await(2 * step); err != errFull {
			t.Errorf("though nobody reads: %v", err)
		}
	})
}
