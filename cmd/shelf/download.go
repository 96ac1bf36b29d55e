package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// download reads one remote file over one or more channels.
//
// A channel has a window of 2 MiB that x/crypto fixes, so on a link with a
// round trip of 100 ms it carries 20 MiB/s at most. A long link therefore gets
// more of them for a file, and their replies are put in order here.
type download struct {
	r     *remote
	path  string
	file  attrs // as it was when it was opened
	lanes []lane
	more  chan lane      // lanes that are opened meanwhile
	open  sync.WaitGroup // those who open them
	stop  func()         // ends that
	limit *rate.Limiter  // nil is no limit
	fixed bool           // it must be the same file at the end
}

// lane is a channel and the file open on it.
type lane struct {
	*channel
	handle string
}

// askStat asks for FSTAT, and waits for no answer.
func (l lane) askStat() (*call, error) {
	return l.send(fxpFstat, newPacket(len(l.handle)+4).string(l.handle), nil)
}

// openDownload opens a file for reading.
func (r *remote) openDownload(ctx context.Context, path string) (*download, error) {
	l, file, err := r.openLane(ctx, r.pool.take, path)
	if err != nil {
		return nil, err
	}
	d := &download{r: r, path: path, file: file, lanes: []lane{l}, more: make(chan lane, mostChannels), stop: func() {}, fixed: true}
	if err := checkSource(file); err != nil {
		return nil, d.end(err)
	}
	return d, nil
}

func checkSource(file attrs) error {
	if !file.regular() {
		return errors.New("that is not a regular file")
	}
	if file.size < 0 {
		return errors.New("the server tells no size for it, or an impossible one")
	}
	return nil
}

func (r *remote) openLane(ctx context.Context, take func(context.Context) (*channel, error), path string) (lane, attrs, error) {
	c, err := take(ctx)
	if err != nil {
		return lane{}, attrs{}, err
	}
	handle, err := c.open(ctx, path, openRead)
	if err != nil {
		err = c.explain(ctx, err)
		r.pool.give(c, ctx.Err() == nil && !c.ended())
		return lane{}, attrs{}, err
	}
	file, err := c.fstat(ctx, handle)
	if err != nil {
		r.pool.give(c, false)
	}
	return lane{c, handle}, file, err
}

// worth is how many lanes, of most, the distance of the server and the bytes to
// come are worth.
func (d *download) worth(bytes int64, most int) int {
	const quicker = 4 << 20 // bytes that are quicker on a lane of their own than it is opened
	return 1 + max(0, min(int(d.r.rtt/laneDelay), most-1, int(bytes/quicker)))
}

// widen opens more lanes, up to n in all, if the server can tell a digest of what
// comes: each lane opens the file for itself, and it may be replaced meanwhile.
func (d *download) widen(ctx context.Context, n int) {
	ctx, d.stop = context.WithCancel(ctx)
	for range n - 1 {
		d.open.Go(func() {
			if !d.r.digests.able(ctx) {
				return
			}
			l, file, err := d.r.openLane(ctx, d.r.pool.spare, d.path)
			if err != nil {
				return
			}
			if file != d.file {
				d.r.pool.give(l.channel, false)
				return
			}
			d.more <- l
		})
	}
}

// laneDelay is the round trip at which one channel, with its 2 MiB, fills a
// line of 1 Gbit/s.
const laneDelay = 16 * time.Millisecond

// laneBytes is how much is asked for at a time on a lane: somewhat more than its
// window.
const laneBytes = 3 << 20

// piece is a part of the file that was asked for.
type piece struct {
	*call
	lane   lane
	offset int64
}

// first is the download over its first lane alone.
func (d *download) first() *download {
	return &download{r: d.r, path: d.path, file: d.file, lanes: d.lanes[:1], limit: d.limit, fixed: d.fixed}
}

// errChanged is a file that was written to while it was read.
var errChanged = errors.New("it changed on the server while it was read; get it again")

// changed waits for what was asked about the file after the last of its bytes.
func (d *download) changed(ctx context.Context, q *call) error {
	if q == nil {
		return nil
	}
	if err := d.lanes[0].wait(ctx, q); err != nil {
		return d.lanes[0].explain(ctx, err)
	}
	r, err := q.expect(fxpAttrs)
	if err != nil {
		return err
	}
	if now := r.attrs(); now.size != d.file.size || !now.modified.Equal(d.file.modified) {
		return errChanged
	}
	return r.fault()
}

// copy writes the file from offset on, in order, and tells progress how much.
func (d *download) copy(ctx context.Context, to io.Writer, offset int64, progress func(int)) error {
	var queue []piece
	var spare [][]byte
	var last *call
	for next, turn := offset, 0; ; {
		for next < d.file.size && len(queue) < laneBytes/d.r.chunk*len(d.lanes) && (len(queue) == 0 || !queue[0].answered()) {
			d.widened()
			p, err := d.ask(ctx, d.lanes[turn%len(d.lanes)], next, &spare)
			if err != nil {
				return err
			}
			queue, next, turn = append(queue, p), next+int64(len(p.into)), turn+1
		}
		if d.fixed && last == nil && next >= d.file.size {
			var err error
			if last, err = d.lanes[0].askStat(); err != nil {
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
		spare = append(spare, p.into)
	}
}

// widened takes in a lane that has been opened.
func (d *download) widened() {
	select {
	case l := <-d.more:
		d.lanes = append(d.lanes, l)
	default:
	}
}

func (d *download) ask(ctx context.Context, l lane, offset int64, spare *[][]byte) (piece, error) {
	n := min(int64(chunkFor(d.limit, d.r.chunk)), d.file.size-offset)
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
	q, err := l.read(l.handle, offset, into[:n])
	return piece{q, l, offset}, err
}

// deliver writes a piece. A server may give less than it was asked for; then
// the rest is asked for again.
func (d *download) deliver(ctx context.Context, p piece, to io.Writer, progress func(int)) error {
	all := p.into
	for rest := all; ; {
		n, err := p.lane.got(ctx, p.call)
		if errors.Is(err, io.EOF) {
			at := p.offset + int64(len(all)-len(rest))
			return fmt.Errorf("it ended after %d of %d bytes: %w", at, d.file.size, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return p.lane.explain(ctx, err)
		}
		if _, err := to.Write(rest[:n]); err != nil {
			return err
		}
		progress(n)
		if rest = rest[n:]; len(rest) == 0 {
			return nil
		}
		q, err := p.lane.read(p.lane.handle, p.offset+int64(len(all)-len(rest)), rest)
		if err != nil {
			return err
		}
		p.call = q
	}
}

// end closes what is open, and returns the error that it is given.
func (d *download) end(err error) error {
	d.stop()
	d.open.Wait()
	close(d.more)
	for l := range d.more {
		d.lanes = append(d.lanes, l)
	}
	for _, l := range d.lanes {
		if err == nil {
			_, err := l.send(fxpClose, newPacket(len(l.handle)+4).string(l.handle), nil)
			d.r.pool.give(l.channel, err == nil)
		} else {
			d.r.pool.give(l.channel, false)
		}
	}
	return err
}
