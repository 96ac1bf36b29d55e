package sshd

import (
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// errFrozen ends a connection whose client does not answer.
var errFrozen = errors.New("the client stopped answering")

// attend answers what the client asks of the connection, and asks a client that
// has been silent for ClientAliveInterval whether it is there, by a request that
// any client answers, if only to refuse it; when ClientAliveCountMax in a row
// went unanswered it closes the connection. One goroutine does both, since of
// either there is little.
func (c *conn) attend(requests <-chan *ssh.Request) {
	var tick <-chan time.Time
	if interval := c.config.Limits.ClientAliveInterval; interval > 0 {
		t := time.NewTicker(interval)
		defer t.Stop()
		tick = t.C
	}
	a := alive{conn: c, seen: -1}
	proofs := 0
	for {
		select {
		case r, ok := <-requests:
			if !ok {
				return
			}
			c.globalRequest(r, &proofs)
		case <-tick:
			a.look()
		}
	}
}

// alive is what is known of a client's being there. It looks at what arrives,
// not at answers, so that a client which sends a file needs no asking.
type alive struct {
	conn   *conn
	seen   int64 // what had arrived at the last look
	silent int   // looks in a row at which there was no more
	asking atomic.Bool
}

func (a *alive) look() {
	if now := a.conn.wire.received.Load(); now != a.seen {
		a.seen, a.silent = now, 0
		return
	}
	if a.silent++; a.silent > a.conn.config.Limits.ClientAliveCountMax {
		a.conn.log.Warn("connection closed", "reason", errFrozen)
		a.conn.close()
		return
	}
	a.conn.ask(&a.asking)
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
