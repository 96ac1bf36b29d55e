package sshd

import (
	"errors"
	"sync/atomic"
	"time"
)

// errFrozen ends a connection whose client does not answer.
var errFrozen = errors.New("the client stopped answering")

// keepAlive asks a client that has been silent for ClientAliveInterval whether
// it is there, by a request that any client answers, if only to refuse it, and
// closes the connection when ClientAliveCountMax in a row went unanswered.
//
// It looks at what arrives, not at the answers, so that a client which sends a
// file needs no asking. Its goroutine never writes: to a client that reads
// nothing any more, who writes waits for ever.
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
		if now := c.wire.received.Load(); now != seen {
			seen, silent = now, 0
			continue
		}
		if silent++; silent > c.config.Limits.ClientAliveCountMax {
			c.log.Warn("connection closed", "reason", errFrozen)
			c.close()
			return
		}
		c.ask(&asking)
	}
}

// ask sends a keepalive unless the last one is still on its way. It does not
// wait: to a frozen client even sending takes for ever.
func (c *conn) ask(asking *atomic.Bool) {
	if !asking.CompareAndSwap(false, true) {
		return
	}
	c.spawn(func() {
		defer asking.Store(false)
		c.client.SendRequest("keepalive@openssh.com", true, nil)
	})
}
