package sftp

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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

// call is a request that was sent.
type call struct {
	into []byte // the buffer for the data of a READ
	n    int    // bytes of data in it
	kind byte
	body []byte // the reply, unless it is data
	err  error
	done chan struct{}
}

// answered tells whether the reply is there.
func (q *call) answered() bool { return len(q.done) > 0 }

// maxReply is the longest packet that is taken from a server: 256 KiB of data and
// its head. OpenSSH has the same limit.
const maxReply = 256<<10 + 1024

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

// expect returns the reply if it is of the wanted kind, and a STATUS as an error.
func (q *call) expect(want byte) (*reply, error) {
	r := &reply{rest: q.body}
	if q.kind == fxpStatus {
		if err := statusOf(r); err != nil || want == fxpStatus {
			return r, err
		}
	}
	if q.kind != want {
		return nil, fmt.Errorf("%w: a reply of type %d instead of %d", errMalformed, q.kind, want)
	}
	return r, nil
}

// receive hands replies to their calls until the channel ends.
func (c *channel) receive(out io.Reader) {
	defer close(c.done)
	in := bufio.NewReaderSize(countingReader{out, &c.moved}, 64<<10)
	for {
		if err := c.receiveOne(in); err != nil {
			c.fail(err)
			c.Close()
			return
		}
	}
}

func (c *channel) receiveOne(in *bufio.Reader) error {
	var head [packetHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(head[:])) - 5 // without the type and the id
	if n < 0 || n > maxReply {
		return fmt.Errorf("%w: a packet of %d bytes", errMalformed, n)
	}
	id := binary.BigEndian.Uint32(head[5:])
	if head[4] == fxpVersion {
		id = versionID
	}
	c.mu.Lock()
	q := c.pending[id]
	delete(c.pending, id)
	c.mu.Unlock()
	if q == nil {
		return fmt.Errorf("%w: a reply to no request", errMalformed)
	}
	q.kind = head[4]
	err := q.read(in, int(n))
	if err != nil {
		q.err = c.fail(err) // a connection that ends within a reply is lost, too
	}
	q.done <- struct{}{}
	return err
}

// read reads the body of a reply, n bytes.
func (q *call) read(in io.Reader, n int) error {
	if q.kind != fxpData || q.into == nil {
		q.body = make([]byte, n)
		_, err := io.ReadFull(in, q.body)
		return err
	}
	var length [4]byte
	if n < len(length) {
		return errMalformed
	}
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return err
	}
	if n -= len(length); int64(n) != int64(binary.BigEndian.Uint32(length[:])) || n > len(q.into) {
		return fmt.Errorf("%w: more data than was asked for", errMalformed)
	}
	q.n = n
	_, err := io.ReadFull(in, q.into[:n])
	return err
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

// countingReader counts the bytes that are read.
type countingReader struct {
	io.Reader
	n *atomic.Uint64
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n.Add(uint64(n))
	return n, err
}

// ended tells whether the channel can no longer be used.
func (c *channel) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure != nil
}
