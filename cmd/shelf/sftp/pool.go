package sftp

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/crypto/ssh"
)

// pool hands out channels for transfers. A transfer has its channels for itself. If
// it fails its channels are closed, since a CLOSE of its handle would publish half
// a file. After a success they are used again.
type pool struct {
	open func(context.Context) (*channel, error)
	free chan struct{} // a token for each channel that may be in use

	mu   sync.Mutex // guards what follows
	idle []*channel
	next chan *channel // gets the channel that is being opened, or nil if that fails; nil if none is
	used int           // channels in use
	last *channel      // the one for single requests, which a transfer gets if there is no other
}

// MostChannels is how many channels all transfers have together. Servers allow ten
// sessions in a connection (MaxSessions of OpenSSH, max_sessions of shelfd). One
// is for single requests, and one for digests.
const MostChannels = 8

func newPool(open func(context.Context) (*channel, error)) *pool {
	p := &pool{open: open, free: make(chan struct{}, MostChannels)}
	for range MostChannels {
		p.free <- struct{}{}
	}
	return p
}

// prepare begins to open a channel for the transfer that will follow. On a long link
// that takes three round trips, in which other requests can be made.
func (p *pool) prepare(ctx context.Context) {
	next := make(chan *channel, 1)
	p.next = next
	go func() {
		c, err := p.open(ctx)
		if err != nil {
			c = nil
		}
		next <- c
	}()
}

// prepared waits for the channel of prepare. It is nil if there is none, or no more.
func (p *pool) prepared(ctx context.Context) *channel {
	p.mu.Lock()
	next := p.next
	p.next = nil
	p.mu.Unlock()
	if next == nil {
		return nil
	}
	select {
	case c := <-next:
		return c
	case <-ctx.Done():
		return nil
	}
}

// first opens the channel for single requests. If the server opens only one, and that
// is the one of prepare, it gets that one.
func (p *pool) first(ctx context.Context) (*channel, error) {
	c, err := p.open(ctx)
	if isRefused(err) {
		if other := p.prepared(ctx); other != nil {
			c, err = other, nil
		}
	}
	p.last = c
	return c, err
}

// isRefused tells whether the server opens no further channel.
func isRefused(err error) bool {
	refused := (*ssh.OpenChannelError)(nil)
	return errors.As(err, &refused)
}

// take gives a channel, and waits while all are in use. If the server opens no
// further one there is one token fewer from then on, and take waits for a channel that
// is given back. If none is in use either, the channel for single requests must do:
// should the transfer fail, a new connection is needed.
func (p *pool) take(ctx context.Context) (*channel, error) {
	for {
		select {
		case <-p.free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		c, err := p.get(ctx)
		if err == nil {
			return c, nil
		}
		if !isRefused(err) {
			p.free <- struct{}{}
			return nil, err
		}
		if c := p.lend(); c != nil {
			return c, nil
		}
	}
}

// lend gives the channel for single requests, if no other is in use.
func (p *pool) lend() *channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used > 0 {
		return nil
	}
	p.used++
	return p.last
}

// get takes an idle channel or the one of prepare, or opens one.
func (p *pool) get(ctx context.Context) (c *channel, err error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if c == nil {
		c = p.prepared(ctx)
	}
	if c == nil || c.ended() {
		c, err = p.open(ctx)
	}
	if err == nil {
		p.mu.Lock()
		p.used++
		p.mu.Unlock()
	}
	return c, err
}

// give takes a channel back. Unless it is clean it may have an open handle, and is
// closed.
func (p *pool) give(c *channel, clean bool) {
	if clean {
		c.reasons.forget()
	} else {
		c.Close()
	}
	p.mu.Lock()
	p.used--
	if clean && c != p.last {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	p.free <- struct{}{}
}
