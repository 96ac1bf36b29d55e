package sshd

import (
	"errors"
	"sync/atomic"
	"time"

	"shelf/sshd/window"
)

// errFrozen ends a connection whose client does not answer.
var errFrozen = errors.New("the client stopped answering")

// keepAlive sends a keepalive to a client that has been silent for
// ClientAliveInterval. Every client answers it, if only with a refusal. After
// ClientAliveCountMax keepalives without an answer the connection is closed.
//
// Anything that arrives counts as an answer, so a client that is sending a file
// is sent no keepalives. This goroutine never writes: when a client no longer
// reads, a write waits for ever.
func (c *conn) keepAlive() {
	if c.config.Limits.ClientAliveInterval == 0 {
		return
	}
	tick := time.NewTicker(c.config.Limits.ClientAliveInterval)
	defer tick.Stop()
	var asking atomic.Bool
	for seen, silent := int64(-1), 0; ; {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		if now := c.wire.Received(); now != seen {
			seen, silent = now, 0
			continue
		}
		c.rest()
		if silent++; silent > c.config.Limits.ClientAliveCountMax {
			c.log.Warn("connection closed", "reason", errFrozen)
			c.close()
			return
		}
		c.ask(&asking)
	}
}

// ask sends a keepalive unless the last one is still being sent. It does not wait,
// since sending to a frozen client takes for ever.
func (c *conn) ask(asking *atomic.Bool) {
	if !asking.CompareAndSwap(false, true) {
		return
	}
	c.spawn(func() {
		defer asking.Store(false)
		c.client.SendRequest("keepalive@openssh.com", true, nil)
	})
}

// roundTrips is how often the round trip to a far client is measured. The shortest
// counts: what is longer was spent waiting.
const roundTrips = 3

// measure finds out how long it takes to the client and back, by keepalives. They
// go all the way, also where the connection comes from a proxy or a jump host, of
// which alone TCP could tell. A client that does not answer has no round trip.
func (c *conn) measure() {
	for range roundTrips {
		start := time.Now()
		if _, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
			return
		}
		took := int64(time.Since(start))
		if best := c.roundTrip.Load(); best == 0 || took < best {
			c.roundTrip.Store(took)
		}
		if took <= int64(window.Near) {
			return
		}
	}
}
