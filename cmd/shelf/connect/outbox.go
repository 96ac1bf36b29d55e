package connect

import (
	"net"
	"os"
	"sync"
	"time"
)

// outbox is a connection that sends in the background, while x/crypto encrypts the
// next packet, and in larger pieces than x/crypto's packets of 32 KiB. That makes
// uploads faster.
type outbox struct {
	net.Conn
	mu      sync.Mutex // guards what follows
	changed sync.Cond
	waiting []byte
	sending bool
	closed  bool
	err     error
}

// outboxSize is how many bytes may wait to be sent; further writes block.
const outboxSize = 512 << 10

func newOutbox(c net.Conn) *outbox {
	o := &outbox{Conn: c}
	o.changed.L = &o.mu
	go o.send()
	return o
}

// Write implements [net.Conn]. An error is returned by a later Write.
func (o *outbox) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.waiting) > 0 && len(o.waiting)+len(p) > outboxSize && o.err == nil && !o.closed {
		o.changed.Wait()
	}
	if o.closed && o.err == nil {
		o.err = net.ErrClosed
	}
	if o.err != nil {
		return 0, o.err
	}
	o.waiting = append(o.waiting, p...)
	o.changed.Broadcast()
	return len(p), nil
}

func (o *outbox) send() {
	var spare []byte
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.waiting) == 0 && !o.closed && o.err == nil {
			o.changed.Wait()
		}
		if len(o.waiting) == 0 || o.err != nil {
			return
		}
		full := o.waiting
		o.waiting, o.sending = spare[:0], true
		o.changed.Broadcast()
		o.mu.Unlock()
		_, err := o.Conn.Write(full)
		o.mu.Lock()
		spare, o.sending = full, false
		if err != nil {
			o.err = err
		}
		o.changed.Broadcast()
	}
}

// farewell is how long Close waits for bytes that are still to be sent.
const farewell = time.Second

// Close implements [net.Conn]. What waits is sent first, if that takes no longer
// than farewell: the last packet of SSH.
func (o *outbox) Close() error {
	defer time.AfterFunc(farewell, o.giveUp).Stop()
	o.mu.Lock()
	for o.closed = true; (len(o.waiting) > 0 || o.sending) && o.err == nil; {
		o.changed.Broadcast()
		o.changed.Wait()
	}
	o.changed.Broadcast()
	o.mu.Unlock()
	return o.Conn.Close()
}

// giveUp drops what waits. A write deadline would not do: a connection through
// another server has none.
func (o *outbox) giveUp() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = os.ErrDeadlineExceeded
	}
	o.changed.Broadcast()
}
