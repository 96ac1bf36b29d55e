package main

import (
	"bytes"
	"context"
	"errors"
	"io"

	"golang.org/x/time/rate"
)

// upload writes one remote file over a channel of its own.
type upload struct {
	r      *remote
	c      *channel
	handle string
	path   string // where it is written: the name, or the stage of it
	limit  *rate.Limiter
}

// openUpload opens path with the flags of OPEN.
func (r *remote) openUpload(ctx context.Context, path string, flags uint32) (*upload, error) {
	c, err := r.pool.take(ctx)
	if err != nil {
		return nil, err
	}
	handle, err := c.open(ctx, path, flags)
	if err != nil {
		err = c.explain(ctx, err)
		r.pool.give(c, ctx.Err() == nil && !c.ended())
		return nil, err
	}
	return &upload{r: r, c: c, handle: handle, path: path}, nil
}

// uploadDepth is how many writes are under way: with 255 KiB each 16 MiB,
// enough for 1 Gbit/s at a round trip of 100 ms. The server's window for the
// channel is often less, and then it is what counts.
const uploadDepth = 64

// copy writes what from has, in order, and tells progress how much is there.
func (u *upload) copy(ctx context.Context, from io.Reader, offset int64, progress func(int)) error {
	type write struct {
		*call
		n int
	}
	var queue []write
	head := len(newPacket(0).string(u.handle).uint64(0).uint32(0))
	buffer := make(packet, head+chunkFor(u.limit, u.r.chunk))
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
			q, err := u.c.send(fxpWrite, buffer[:head+n], nil)
			if err != nil {
				return u.c.explain(ctx, err)
			}
			queue, offset = append(queue, write{q, n}), offset+int64(n)
		}
		// What is answered counts at once, for people want to see how far it is.
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

// written waits for the answer to a write.
func (u *upload) written(ctx context.Context, q *call) error {
	if err := u.c.wait(ctx, q); err != nil {
		return err
	}
	_, err := q.expect(fxpStatus)
	return u.c.explain(ctx, err)
}

// compare reads back the first n bytes, tells how many are those of from, and
// feeds these to seen.
func (u *upload) compare(ctx context.Context, from io.Reader, n int64) (same int64, err error) {
	d := &download{r: u.r, path: u.path, file: attrs{size: n}, lanes: []lane{{u.c, u.handle}}, limit: u.limit}
	w := &comparer{from: from}
	err = d.copy(ctx, w, 0, func(int) {})
	if errors.Is(err, errDiffers) {
		err = nil
	}
	return w.same, err
}

// comparer is a writer that fails at what is not the next bytes of from.
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

// finish closes the file of size bytes, which publishes it where it was opened
// by its name: before it answers, a server may wait for its disk.
func (u *upload) finish(ctx context.Context, size int64) error {
	defer u.c.bePatient(diskTime(size))()
	if err := u.c.close(ctx, u.handle); err != nil {
		err = u.c.explain(ctx, err)
		u.r.pool.give(u.c, false)
		return err
	}
	u.r.pool.give(u.c, true)
	return nil
}

// drop ends the channel instead, so that nothing is published.
func (u *upload) drop() { u.r.pool.give(u.c, false) }
