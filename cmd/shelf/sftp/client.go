// Package sftp is the client's side of SFTP version 3 on one SSH connection
// (draft-ietf-secsh-filexfer-02).
//
//	client.go    a server: its folder, its limits, what it can do
//	conn.go      the connection: how its end is noticed and explained, keepalives
//	pool.go      the SFTP sessions of the connection, one for each transfer
//	channel.go   one SFTP session: requests out; replies.go: replies in
//	silence.go   how long a server may say nothing
//	packet.go    packets, written and read
//	requests.go  each request as a method
//	status.go    STATUS replies as errors; reasons.go: why, in the server's words
//	upload.go    the bytes of one file to the server
//	small.go     small files to the server, many on their way at a time
//	download.go  the bytes of one file from the server
//	window.go    how much the server may send before it must wait
//	digest.go    SHA-256 digests made by the server
//	receipt.go   receipts, made by the server
//	history.go   old versions, kept by the server
//	listing.go   which files there are, remembered for a while
//	replace.go   to give a file the name of another one
//	limit.go     how fast bytes may move
//
// What a server says is in errors as it came; who prints it makes it safe for a
// terminal. The package imports no other one of the client.
package sftp

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Client is a connection to a server, and what is known about that server.
type Client struct {
	*conn
	Folder string // of the server, where the files are
	Home   string // the folder where we came in
	File   string // the file that Options.Path named, or ""

	// Stages tells whether the server is Shelf: nobody sees an upload before it
	// is whole.
	Stages bool

	ask     *channel // for single requests
	pool    *pool    // for transfers
	small   small    // and for many small ones
	digests *digester
	listed  listing
	chunk   int           // bytes of data in a request
	rtt     time.Duration // the round trip of a request
}

// Options are how a client works.
type Options struct {
	Path    string        // a folder to work in, or a file; relative to where the server puts us
	Timeout time.Duration // how long the server may be silent; 0 is for ever

	Transfers bool // a transfer will follow, so a channel for it is opened at once
}

// Bytes of data in a request: smallChunk is what every server accepts, largeChunk
// the most that is asked of servers that announce limits@openssh.com (OpenSSH
// since 8.5, Shelf).
const (
	smallChunk = 32 << 10
	largeChunk = 255 << 10
)

const limits = "limits@openssh.com"

// ErrNoFolder means that the path of the options leads to nothing.
var ErrNoFolder = errors.New("there is no folder")

// New starts SFTP on a connection and finds out what the server can do. If it
// fails the connection is closed.
func New(ctx context.Context, client *ssh.Client, o Options) (*Client, error) {
	l := newConn(client, o.Timeout)
	c := &Client{conn: l, chunk: smallChunk, digests: newDigester(l)}
	c.Stages = strings.Contains(string(client.ServerVersion()), "-Shelf")
	c.pool = newPool(func(ctx context.Context) (*channel, error) { return openChannel(ctx, l) })
	go l.keepAlive(keepAliveInterval)
	var err error
	if o.Transfers {
		c.pool.prepare(ctx)
	}
	if c.ask, err = c.pool.first(ctx); err == nil {
		err = c.findFolder(ctx, o.Path)
	}
	c.Home = c.Folder
	if err == nil {
		err = c.findLimits(ctx)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return c, nil
}

// findFolder finds the folder where the server puts us and, from there, the
// folder or the file that was asked for.
func (c *Client) findFolder(ctx context.Context, where string) (err error) {
	start := time.Now()
	c.Folder, err = c.ask.realpath(ctx, ".")
	c.rtt = time.Since(start)
	if s := (*Status)(nil); errors.As(err, &s) || err == nil && !strings.HasPrefix(c.Folder, "/") {
		c.Folder, err = "/", nil // the server does not tell
	}
	if where == "" || err != nil {
		return err
	}
	full := c.Path(where)
	a, err := c.ask.stat(ctx, full)
	if err == nil && a.Directory() {
		c.Folder = full
		return nil
	}
	c.Folder, c.File = path.Dir(full), path.Base(full)
	if a, err = c.ask.stat(ctx, c.Folder); err == nil && a.Directory() {
		return nil
	}
	if s := (*Status)(nil); err != nil && !errors.As(err, &s) {
		return err
	}
	return fmt.Errorf("%w %s", ErrNoFolder, c.Folder)
}

// findLimits asks how many bytes a request may carry.
func (c *Client) findLimits(ctx context.Context) error {
	if _, ok := c.ask.extensions[limits]; !ok {
		return nil
	}
	p, err := c.ask.do(ctx, fxpExtended, newPacket(len(limits)+4).string(limits), fxpExtendedReply)
	if err != nil {
		return nil // small chunks work everywhere
	}
	p.uint64() // the longest packet
	most := uint64(largeChunk)
	for range 2 { // the longest read, and the longest write; 0 is no answer
		if n := p.uint64(); n != 0 {
			most = min(most, n)
		}
	}
	c.chunk = int(max(most, 1024))
	return p.fault()
}

// Path is the path of a name in the folder. The name may itself be a path, from the
// folder or, with a slash at its start, from the root.
func (c *Client) Path(name string) string {
	if strings.HasPrefix(name, "/") {
		return path.Clean(name)
	}
	return path.Join(c.Folder, name)
}

// Lost tells whether the connection can no longer be used.
func (c *Client) Lost() bool {
	select {
	case <-c.lost:
		return true
	default:
		return c.ask.ended()
	}
}

// Stat asks for the attributes of a file.
func (c *Client) Stat(ctx context.Context, path string) (Attrs, error) { return c.ask.stat(ctx, path) }

// Remove removes a file.
func (c *Client) Remove(ctx context.Context, path string) error { return c.ask.remove(ctx, path) }

// Rename gives a file another name. It does not replace a file.
func (c *Client) Rename(ctx context.Context, from, to string) error {
	return c.ask.rename(ctx, from, to)
}

// Space tells how much room the server has.
func (c *Client) Space(ctx context.Context) (Space, error) { return c.ask.space(ctx, c.Folder) }

// Explain adds to an error of Stat, Remove, Rename or Space the reason that the
// server wrote beside its reply.
func (c *Client) Explain(ctx context.Context, err error) error { return c.ask.explain(ctx, err) }
