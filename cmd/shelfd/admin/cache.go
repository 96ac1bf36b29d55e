package admin

import (
	"context"
	"sync"
	"time"
)

// Cached is a server of which some answers are good for a second, so that it costs
// the same whether one asks or a thousand.
type Cached struct {
	Server
	status      kept[Status]
	connections kept[[]Connection]
	ready       kept[Readiness]
}

// Cache makes a Cached.
func Cache(s Server) *Cached { return &Cached{Server: s} }

// Status is that of a second ago, or of now.
func (c *Cached) Status() Status { return c.status.get(c.Server.Status) }

// Connections are those of a second ago, or of now. They must not be changed.
func (c *Cached) Connections() []Connection { return c.connections.get(c.Server.Connections) }

// fresh is how old an answer may be.
const fresh = time.Second

// kept is an answer that is kept for a while.
type kept[T any] struct {
	mu    sync.Mutex
	value T         // mu
	until time.Time // mu
}

func (k *kept[T]) get(ask func() T) T {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.After(k.until) {
		k.value = ask()
		k.until = time.Now().Add(fresh)
	}
	return k.value
}

// Readiness asks the server what it needs to do its work. A disk that does not
// answer is not waited for: one question waits for it, and the others are told.
func (c *Cached) Readiness(ctx context.Context) Readiness {
	return c.ready.get(func() Readiness { return readinessOf(c.Server.Ready(ctx)) })
}
