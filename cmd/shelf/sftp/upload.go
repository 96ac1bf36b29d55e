package sftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/time/rate"
)

// Upload writes one file of the server over a channel of its own.
type Upload struct {
	Path   string
	client *Client
	ch     *channel
	handle string
	limit  *rate.Limiter // nil is no limit
}

// The ways to open an upload.
const (
	Continue  uint32 = openRead | openWrite | openCreate  // keeps what the file has
	Truncate  uint32 = openWrite | openCreate | openTrunc // starts with an empty file
	Exclusive uint32 = openWrite | openCreate | openExcl  // fails if there is a file
)

// OpenUpload opens a file for writing.
func (c *Client) OpenUpload(ctx context.Context, path string, flags uint32, limit *rate.Limiter) (*Upload, error) {
	ch, err := c.pool.take(ctx)
	if err != nil {
		return nil, err
	}
	handle, err := ch.open(ctx, path, flags)
	if err != nil {
		err = ch.explain(ctx, err)
		c.pool.give(ch, ctx.Err() == nil && !ch.ended())
		return nil, err
	}
	return &Upload{Path: path, client: c, ch: ch, handle: handle, limit: limit}, nil
}

// uploadDepth is how many writes may wait for their replies: 32 MiB of 255 KiB each,
// enough for 1 Gbit/s at a round trip of a quarter of a second. The server's window
// for the channel is often smaller, and is the limit then.
const uploadDepth = 128

// Copy writes what from has, in order, starting at offset, and calls progress with
// the number of bytes that have arrived.
func (u *Upload) Copy(ctx context.Context, from io.Reader, offset int64, progress func(int)) error {
	type write struct {
		*call
		n int
	}
	var queue []write
	head := len(newPacket(0).string(u.handle).uint64(0).uint32(0))
	buffer := make(packet, head+chunkFor(u.limit, u.client.chunk))
	for eof := false; !eof; {
		n, err := io.ReadFull(from, buffer[head:])
		if eof = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !eof {
			return err
		}
		if n > 0 {
			if err := wait(ctx, u.limit, n); err != nil {
				return err
			}
			buffer[:packetHead].string(u.handle).uint64(uint64(offset)).uint32(uint32(n))
			q, err := u.ch.send(fxpWrite, buffer[:head+n], nil)
			if err != nil {
				return u.ch.explain(ctx, err)
			}
			queue, offset = append(queue, write{q, n}), offset+int64(n)
		}
		// Replies that are there count at once, for the progress bar.
		for len(queue) > 0 && (eof || len(queue) == uploadDepth || queue[0].answered()) {
			if err := u.written(ctx, queue[0].call); err != nil {
				return err
			}
			progress(queue[0].n)
			queue = queue[1:]
		}
	}
	return nil
}

// written waits for the reply to a write.
func (u *Upload) written(ctx context.Context, q *call) error {
	if err := u.ch.wait(ctx, q); err != nil {
		return err
	}
	_, err := q.expect(fxpStatus)
	return u.ch.explain(ctx, err)
}

// Compare reads back the first n bytes and tells how many of them, from the start,
// are the same as those of from.
func (u *Upload) Compare(ctx context.Context, from io.Reader, n int64) (same int64, err error) {
	d := &Download{client: u.client, Attrs: Attrs{Size: n}, ch: u.ch, handle: u.handle, limit: u.limit}
	w := &comparer{from: from}
	err = d.Copy(ctx, w, 0, func(int) {})
	if errors.Is(err, errDiffers) {
		err = nil
	}
	return w.same, err
}

// comparer is a writer that takes only the bytes that from has, and counts them.
type comparer struct {
	from io.Reader
	same int64
	own  []byte
}

var errDiffers = errors.New("it differs")

func (w *comparer) Write(p []byte) (int, error) {
	if len(w.own) < len(p) {
		w.own = make([]byte, len(p))
	}
	n, err := io.ReadFull(w.from, w.own[:len(p)])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	if n == len(p) && bytes.Equal(p, w.own[:n]) {
		w.same += int64(n)
		return n, nil
	}
	for i := 0; i < n && p[i] == w.own[i]; i++ {
		w.same++
	}
	return 0, errDiffers
}

// Stat asks for the attributes of the open file.
func (u *Upload) Stat(ctx context.Context) (Attrs, error) { return u.ch.fstat(ctx, u.handle) }

// SetSize cuts the open file.
func (u *Upload) SetSize(ctx context.Context, n int64) error { return u.ch.setSize(ctx, u.handle, n) }

// SetTimes sets the times of the open file. It does not wait for the reply: an error
// there is not worth a failure, and a long link would be waited for once more.
func (u *Upload) SetTimes(t time.Time) error {
	_, err := u.ch.send(fxpFsetstat, newPacket(len(u.handle)+16).string(u.handle).times(t), nil)
	return err
}

// Sum asks for the SHA-256 of the open file, which has n bytes.
func (u *Upload) Sum(ctx context.Context, n int64) (string, error) {
	return u.ch.checkFile(ctx, u.handle, n)
}

// Explain adds the server's reason to an error of the open file.
func (u *Upload) Explain(ctx context.Context, err error) error { return u.ch.explain(ctx, err) }

// Finish closes the file of size bytes. On Shelf that publishes it. The server may
// write it to its disk before it replies, which takes a while.
func (u *Upload) Finish(ctx context.Context, size int64) error {
	defer u.ch.bePatient(diskTime(size))()
	if err := u.ch.close(ctx, u.handle); err != nil {
		err = u.ch.explain(ctx, err)
		u.client.pool.give(u.ch, false)
		return err
	}
	u.client.pool.give(u.ch, true)
	return nil
}

// Drop closes the channel instead of the file, so that nothing is published.
func (u *Upload) Drop() { u.client.pool.give(u.ch, false) }
