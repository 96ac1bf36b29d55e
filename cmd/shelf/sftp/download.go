package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"
)

// Download reads one file of the server over a channel of its own.
type Download struct {
	Attrs // when the file was opened

	client *Client
	ch     *channel
	handle string
	limit  *rate.Limiter // nil is no limit
	fixed  bool          // fail if the file has changed at the end
}

// OpenDownload opens a file for reading.
func (c *Client) OpenDownload(ctx context.Context, path string, limit *rate.Limiter) (*Download, error) {
	ch, err := c.pool.take(ctx)
	if err != nil {
		return nil, err
	}
	ch.widen(c.rtt)
	handle, err := ch.open(ctx, path, openRead)
	if err != nil {
		err = ch.explain(ctx, err)
		c.pool.give(ch, ctx.Err() == nil && !ch.ended())
		return nil, err
	}
	file, err := ch.fstat(ctx, handle)
	if err != nil {
		c.pool.give(ch, false)
		return nil, err
	}
	d := &Download{Attrs: file, client: c, ch: ch, handle: handle, limit: limit, fixed: true}
	if err := checkSource(file); err != nil {
		return nil, d.End(err)
	}
	return d, nil
}

func checkSource(file Attrs) error {
	if file.Directory() {
		return errors.New("that is a folder; get takes files, and sync --down those in a folder")
	}
	if !file.Regular() {
		return errors.New("that is not a regular file")
	}
	if file.Size < 0 {
		return errors.New("the server tells no size for it, or an impossible one")
	}
	return nil
}

// piece is a part of the file that was asked for.
type piece struct {
	*call
	offset int64
	asked  time.Time
}

// Stat asks for the attributes of the open file.
func (d *Download) Stat(ctx context.Context) (Attrs, error) {
	a, err := d.ch.fstat(ctx, d.handle)
	return a, d.ch.explain(ctx, err)
}

// CopyAgain reads the whole file once more.
func (d *Download) CopyAgain(ctx context.Context, to io.Writer) error {
	return d.Copy(ctx, to, 0, func(int) {})
}

// ErrChanged means that somebody wrote to the file while it was read.
var ErrChanged = errors.New("it changed on the server while it was read; get it again")

// changed waits for the attributes that were asked for after the last byte, and
// compares them with those at the start.
func (d *Download) changed(ctx context.Context, q *call) error {
	if q == nil {
		return nil
	}
	if err := d.ch.wait(ctx, q); err != nil {
		return d.ch.explain(ctx, err)
	}
	r, err := q.expect(fxpAttrs)
	if err != nil {
		return err
	}
	if now := r.attrs(); now.Size != d.Size || !now.Modified.Equal(d.Modified) {
		return ErrChanged
	}
	return r.fault()
}

// Bytes to ask for ahead: at first, and at most.
const (
	aheadFirst = 3 << 20
	aheadMost  = moreWindow
)

// Copy writes the file to a writer, in order and starting at offset, and calls
// progress with the number of bytes written.
//
// While what is asked for comes as soon as a round trip allows, the link is not full,
// and more is asked for ahead. What comes later has waited on the way.
func (d *Download) Copy(ctx context.Context, to io.Writer, offset int64, progress func(int)) error {
	var queue []piece
	var spare [][]byte
	var last *call
	ahead := aheadFirst
	for next := offset; ; {
		for next < d.Size && len(queue) < ahead/d.client.chunk && (len(queue) == 0 || !queue[0].answered()) {
			p, err := d.ask(ctx, next, &spare)
			if err != nil {
				return err
			}
			queue, next = append(queue, p), next+int64(len(p.into))
		}
		if d.fixed && last == nil && next >= d.Size {
			var err error
			if last, err = d.askStat(); err != nil {
				return err
			}
		}
		if len(queue) == 0 {
			return d.changed(ctx, last)
		}
		p := queue[0]
		queue = queue[1:]
		if err := d.deliver(ctx, p, to, progress); err != nil {
			return err
		}
		if d.ch.wide && time.Since(p.asked) < d.client.rtt*3/2 {
			ahead = min(ahead+len(p.into), aheadMost)
		}
		spare = append(spare, p.into)
	}
}

// askStat sends FSTAT, and does not wait for the reply.
func (d *Download) askStat() (*call, error) {
	return d.ch.send(fxpFstat, newPacket(len(d.handle)+4).string(d.handle), nil)
}

func (d *Download) ask(ctx context.Context, offset int64, spare *[][]byte) (piece, error) {
	n := min(int64(chunkFor(d.limit, d.client.chunk)), d.Size-offset)
	if err := wait(ctx, d.limit, int(n)); err != nil {
		return piece{}, err
	}
	var into []byte
	if k := len(*spare); k > 0 {
		into, *spare = (*spare)[k-1], (*spare)[:k-1]
	}
	if int64(cap(into)) < n {
		into = make([]byte, n)
	}
	asked := time.Now()
	q, err := d.ch.read(d.handle, offset, into[:n])
	return piece{q, offset, asked}, err
}

// deliver waits for a piece and writes it. If the server sends less than it was
// asked for, deliver asks for the rest.
func (d *Download) deliver(ctx context.Context, p piece, to io.Writer, progress func(int)) error {
	all := p.into
	for rest := all; ; {
		n, err := d.ch.got(ctx, p.call)
		if errors.Is(err, io.EOF) {
			at := p.offset + int64(len(all)-len(rest))
			return fmt.Errorf("it ended after %d of %d bytes: %w", at, d.Size, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return d.ch.explain(ctx, err)
		}
		if _, err := to.Write(rest[:n]); err != nil {
			return err
		}
		progress(n)
		if rest = rest[n:]; len(rest) == 0 {
			return nil
		}
		q, err := d.ch.read(d.handle, p.offset+int64(len(all)-len(rest)), rest)
		if err != nil {
			return err
		}
		p.call = q
	}
}

// End closes the file, and returns the error that it is given.
func (d *Download) End(err error) error {
	if err != nil {
		d.client.pool.give(d.ch, false)
		return err
	}
	_, failed := d.ch.send(fxpClose, newPacket(len(d.handle)+4).string(d.handle), nil)
	d.client.pool.give(d.ch, failed == nil)
	return nil
}
