package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// remote is a connection: a channel for questions, some for transfers, and
// what is known of the server.
type remote struct {
	*lifeline
	to      target
	ask     *channel
	pool    *pool
	digests *digester
	folder  string        // of the server, where the files are
	file    string        // that a URL named, or ""
	chunk   int           // bytes of data in a request
	rtt     time.Duration // round trip of a question
	stages  bool          // it is Shelf: an upload is seen when it is whole
}

// Data in a request, in bytes: what every server takes, and what those take at
// most that announce limits@openssh.com (OpenSSH from 8.5 on, Shelf).
const (
	smallChunk = 32 << 10
	largeChunk = 255 << 10
)

const limits = "limits@openssh.com"

// newRemote finds out what the server is.
func newRemote(ctx context.Context, client *ssh.Client, to target, where string, timeout time.Duration) (*remote, error) {
	l := newLifeline(client, timeout)
	r := &remote{lifeline: l, to: to, chunk: smallChunk, digests: newDigester(l)}
	r.stages = strings.Contains(string(client.ServerVersion()), "-Shelf")
	r.pool = newPool(func(ctx context.Context) (*channel, error) { return openChannel(ctx, l) })
	go r.keepAlive(keepAliveInterval)
	var err error
	if r.ask, err = r.pool.open(ctx); err == nil {
		r.pool.last = r.ask
		err = r.findFolder(ctx, where)
	}
	if err == nil {
		err = r.findLimits(ctx)
	}
	if err == nil {
		return r, nil
	}
	client.Close()
	if e := (*exitError)(nil); errors.As(err, &e) {
		return nil, err
	}
	return nil, &exitError{exitConnect, fmt.Errorf("%s offers no files: %w", to.addr, err)}
}

// findFolder finds where the server puts us and, from there, what a URL named:
// a folder or a file.
func (r *remote) findFolder(ctx context.Context, where string) (err error) {
	start := time.Now()
	r.folder, err = r.ask.realpath(ctx, ".")
	r.rtt = time.Since(start)
	if s := (*status)(nil); errors.As(err, &s) || err == nil && !strings.HasPrefix(r.folder, "/") {
		r.folder, err = "/", nil // a server that does not tell
	}
	if where == "" || err != nil {
		return err
	}
	full := where
	if !strings.HasPrefix(where, "/") {
		full = path.Join(r.folder, where)
	}
	a, err := r.ask.stat(ctx, full)
	if err == nil && a.folder() {
		r.folder = full
		return nil
	}
	r.folder, r.file = path.Dir(full), path.Base(full)
	if a, err = r.ask.stat(ctx, r.folder); err == nil && a.folder() {
		return nil
	}
	if s := (*status)(nil); err != nil && !errors.As(err, &s) {
		return err
	}
	return &exitError{exitSome, fmt.Errorf("there is no folder %s", printable(r.folder))}
}

// findLimits asks how much a request may carry.
func (r *remote) findLimits(ctx context.Context) error {
	if _, ok := r.ask.extensions[limits]; !ok {
		return nil
	}
	p, err := r.ask.do(ctx, fxpExtended, newPacket(len(limits)+4).string(limits), fxpExtendedReply)
	if err != nil {
		return nil // the small ones will do
	}
	p.uint64() // of a packet
	most := uint64(largeChunk)
	for range 2 { // of a read, and of a write; 0 is not told
		if n := p.uint64(); n != 0 {
			most = min(most, n)
		}
	}
	r.chunk = int(max(most, 1024))
	return p.fault()
}

// path is where the server has a name.
func (r *remote) path(name string) string {
	if r.folder == "/" {
		return "/" + name
	}
	return r.folder + "/" + name
}

// ended tells whether the connection is of no more use.
func (r *remote) ended() bool {
	select {
	case <-r.lost:
		return true
	default:
		return r.ask.ended()
	}
}

// A server that does not answer within the interval, so many times, is gone.
const (
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 3
)

// keepAlive finds out when the other end is gone without a word.
func (r *remote) keepAlive(interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	asked, missed := false, 0
	for {
		select {
		case <-r.lost:
			return
		case <-answered:
			asked, missed = false, 0
			continue
		case <-tick.C:
		}
		if asked {
			if missed++; missed >= keepAliveCount {
				r.Close()
				return
			}
			continue
		}
		asked = true
		go func() {
			if _, _, err := r.SendRequest("keepalive@openssh.com", true, nil); err == nil {
				answered <- struct{}{}
			}
		}()
	}
}
