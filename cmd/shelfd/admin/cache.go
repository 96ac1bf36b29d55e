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
	seen  kept[Seen]
	ready kept[Readiness]
}

// Seen is what a server does, at one moment. It must not be changed.
type Seen struct {
	At          time.Time
	Status      Status
	Connections []Connection
}

// Cache makes a Cached.
func Cache(s Server) *Cached { return &Cached{Server: s} }

// See tells what the server does now, or did less than a second ago.
func (c *Cached) See() Seen {
	return c.seen.get(func() Seen { return Seen{time.Now(), c.Server.Status(), c.Server.Connections()} })
}

// Status is that of See.
func (c *Cached) Status() Status { return c.See().Status }

// Connections are those of See.
func (c *Cached) Connections() []Connection { return c.See().Connections }

// Kick implements [Server]. It changes what is to be seen, as do Unban, Drain and
// Reload.
func (c *Cached) Kick(by Operator, who, reason string) ([]Connection, error) {
	defer c.forget()
	return c.Server.Kick(by, who, reason)
}

// Unban implements [Server].
func (c *Cached) Unban(by Operator, source string) ([]Ban, error) {
	defer c.forget()
	return c.Server.Unban(by, source)
}

// Drain implements [Server].
func (c *Cached) Drain(by Operator) {
	defer c.forget()
	c.Server.Drain(by)
}

// Reload implements [Server].
func (c *Cached) Reload(by Operator) error {
	defer c.forget()
	return c.Server.Reload(by)
}

func (c *Cached) forget() {
	c.seen.forget()
	c.ready.forget()
}

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

func (k *kept[T]) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = time.Time{}
}

// Readiness asks the server what it needs to do its work. A disk that does not
// answer is not waited for: one question waits for it, and the others are told.
func (c *Cached) Readiness(ctx context.Context) Readiness {
	return c.ready.get(func() Readiness { return readinessOf(c.Server.Ready(ctx)) })
}
