package main

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/crypto/ssh"
)

// pool hands out channels for transfers. A transfer has each of its channels
// for itself: one that is broken off is ended by closing its channel, since to
// CLOSE its handle would publish half a file. What ended well is used again.
type pool struct {
	open func(context.Context) (*channel, error)
	free chan struct{} // a token for each channel that may be in use

	mu   sync.Mutex // guards what follows
	idle []*channel
	used int      // channels that are out
	last *channel // the one for questions, which a transfer gets when there is no other
}

// mostChannels is how many channels transfers have in all. Servers allow ten
// sessions in a connection (MaxSessions of OpenSSH, max_sessions of shelfd);
// one is for questions and one for digests.
const mostChannels = 8

func newPool(open func(context.Context) (*channel, error)) *pool {
	p := &pool{open: open, free: make(chan struct{}, mostChannels)}
	for range mostChannels {
		p.free <- struct{}{}
	}
	return p
}

// take gives a channel, and waits while all are in use. A server that allows
// fewer of them is found out by its refusal: then there is a token less, and the
// holder of another brings his back. If there is none, the channel for questions
// serves: that it may be ended costs a new connection.
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
		if refused := (*ssh.OpenChannelError)(nil); !errors.As(err, &refused) {
			p.free <- struct{}{}
			return nil, err
		}
		if c := p.lend(); c != nil {
			return c, nil
		}
	}
}

// lend gives the channel for questions, if no other is out.
func (p *pool) lend() *channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used > 0 {
		return nil
	}
	p.used++
	return p.last
}

// spare gives a channel if there is one to spare.
func (p *pool) spare(ctx context.Context) (*channel, error) {
	select {
	case <-p.free:
	default:
		return nil, errors.New("all channels are in use")
	}
	c, err := p.get(ctx)
	if err != nil {
		p.free <- struct{}{}
	}
	return c, err
}

// get takes an idle channel or opens one.
func (p *pool) get(ctx context.Context) (c *channel, err error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
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

// give takes a channel back. One that may have a handle open is ended.
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
