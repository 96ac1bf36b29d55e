package sftp

import (
	"sync"
	"time"
)

// watch closes the connection when a reply is due and no byte has moved for the
// timeout.
func (c *channel) watch() {
	if c.conn.timeout == 0 {
		return
	}
	tick := time.NewTicker(c.conn.timeout)
	defer tick.Stop()
	last := ^uint64(0)
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		c.mu.Lock()
		owed := len(c.pending)
		c.mu.Unlock()
		if now := c.moved.Load(); owed == 0 || c.slow.Load() > 0 {
			last = ^uint64(0)
		} else if now == last {
			c.fail(c.conn.silent())
		} else {
			last = now
		}
	}
}

// slowDisk is the slowest that a server is expected to read or write a file, in
// bytes per second.
const slowDisk = 16 << 20

// diskTime is how long such a server takes for so many bytes.
func diskTime(bytes int64) time.Duration { return time.Duration(bytes/slowDisk) * time.Second }

// bePatient switches the timeout off for so long, or until the returned function
// is called.
func (c *channel) bePatient(d time.Duration) (stop func()) {
	c.slow.Add(1)
	over := sync.OnceFunc(func() { c.slow.Add(-1) })
	timer := time.AfterFunc(d, over)
	return func() {
		timer.Stop()
		over()
	}
}
