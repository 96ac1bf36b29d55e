package sftp

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// channel is one SFTP session. Requests go out in the order in which they are
// made, and any number may be waiting for replies; the replies may come in any
// order.
//
// It is our own code and not a library's for three reasons. Writes are sent in
// order, so an upload that is cut ends at one place. Data goes from the channel
// straight into the buffer of the caller. And no server can make us keep more
// than we asked for, or wait for ever.
type channel struct {
	ssh        ssh.Channel
	in         io.Writer
	wide       bool // the window was opened for a link that is long
	extensions map[string]string
	reasons    *reasons
	conn       *conn

	sending sync.Mutex // held while a packet is written
	mu      sync.Mutex // guards what follows
	pending map[uint32]*call
	lastID  uint32
	failure error

	moved atomic.Uint64 // grows with every byte that comes or goes
	slow  atomic.Int64  // how many replies may take longer than the timeout
	done  chan struct{} // closed when no more replies can come
}

// versionID stands for the id of VERSION, which has none. Requests start at 1.
const versionID = 0

// openChannel starts an SFTP session. If the server is silent for the timeout the
// connection is closed.
func openChannel(ctx context.Context, l *conn) (*channel, error) {
	if l.timeout > 0 {
		defer time.AfterFunc(l.timeout, func() { l.silent() }).Stop()
	}
	return orDone(ctx, func() (*channel, error) {
		s, requests, err := l.OpenChannel("session", nil)
		if err != nil {
			return nil, l.explain(err)
		}
		go ssh.DiscardRequests(requests)
		c := &channel{ssh: s, in: s, conn: l, pending: make(map[uint32]*call), done: make(chan struct{})}
		if err := c.start(ctx); err != nil {
			s.Close()
			return nil, l.explain(err)
		}
		return c, nil
	})
}

// orDone runs f and waits until it returns or ctx ends. What f opens after that is
// closed.
func orDone[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		go func() {
			r := <-done
			if c, ok := any(r.value).(io.Closer); ok && r.err == nil {
				c.Close()
			}
		}()
		return *new(T), ctx.Err()
	}
}

func (c *channel) start(ctx context.Context) error {
	ok, err := c.ssh.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"sftp"}))
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("the server has no sftp subsystem")
	}
	c.reasons = readReasons(c.ssh.Stderr())
	version := &call{done: make(chan struct{}, 1)}
	c.pending[versionID] = version
	go c.receive(c.ssh)
	go c.watch()
	// INIT has the version where other packets have the id.
	if err := c.write(newPacket(0).seal(fxpInit, 3)); err != nil {
		return err
	}
	if err := c.wait(ctx, version); err != nil {
		return err
	}
	return c.readExtensions(version)
}

func (c *channel) readExtensions(version *call) error {
	if version.kind != fxpVersion {
		return errMalformed
	}
	c.extensions = make(map[string]string)
	for r := (&reply{rest: version.body}); len(r.rest) > 0; {
		name := r.string()
		if c.extensions[name] = r.string(); r.bad {
			return r.fault()
		}
	}
	return nil
}

// Close ends the session. Uploads that are open on it are not published.
func (c *channel) Close() error { return c.ssh.Close() }

// send sends a request. If the reply is data it goes into the buffer.
func (c *channel) send(kind byte, p packet, into []byte) (*call, error) {
	q := &call{into: into, done: make(chan struct{}, 1)}
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	if err := c.failure; err != nil {
		c.mu.Unlock()
		return nil, err
	}
	c.lastID = max(c.lastID+1, versionID+1)
	id := c.lastID
	c.pending[id] = q
	c.mu.Unlock()
	return q, c.write(p.seal(kind, id))
}

// write sends a packet in pieces of an SSH packet, so that watch sees even a slow
// connection move.
func (c *channel) write(p packet) error {
	const step = 32 << 10
	for len(p) > 0 {
		n, err := c.in.Write(p[:min(step, len(p))])
		if err != nil {
			return c.fail(err)
		}
		c.moved.Add(uint64(n))
		p = p[n:]
	}
	return nil
}

// wait waits for the reply. After an error the buffer of the call must not be used
// again, since data may still come.
func (c *channel) wait(ctx context.Context, q *call) error {
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// do sends a request and waits for a reply of the wanted kind. After an interrupt
// nothing more is sent: an OPEN could truncate what is to be kept.
func (c *channel) do(ctx context.Context, kind byte, p packet, want byte) (*reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q, err := c.send(kind, p, nil)
	if err != nil {
		return nil, err
	}
	if err := c.wait(ctx, q); err != nil {
		return nil, err
	}
	return q.expect(want)
}

// fail ends all requests that wait for a reply, and all later ones.
func (c *channel) fail(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		return c.failure
	}
	err = c.conn.explain(err)
	c.failure = err
	for id, q := range c.pending {
		q.err = err
		q.done <- struct{}{}
		delete(c.pending, id)
	}
	return err
}

// ended tells whether the channel can no longer be used.
func (c *channel) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure != nil
}
