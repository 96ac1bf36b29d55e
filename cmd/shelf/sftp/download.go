package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Download reads one file of the server over one or more channels.
//
// x/crypto fixes the window of a channel at 2 MiB, so with a round trip of 100 ms
// a channel carries 20 MiB/s at most. On a long link a file therefore gets several
// channels, and their replies are put in order here.
type Download struct {
	Attrs // when the file was opened

	client *Client
	path   string
	lanes  []lane
	more   chan lane      // lanes that were opened meanwhile
	open   sync.WaitGroup // the goroutines that open them
	stop   func()         // stops those
	limit  *rate.Limiter  // nil is no limit
	fixed  bool           // fail if the file has changed at the end
}

// lane is a channel with the file open on it.
type lane struct {
	*channel
	handle string
}

// askStat sends FSTAT, and does not wait for the reply.
func (l lane) askStat() (*call, error) {
	return l.send(fxpFstat, newPacket(len(l.handle)+4).string(l.handle), nil)
}

// OpenDownload opens a file for reading.
func (c *Client) OpenDownload(ctx context.Context, path string, limit *rate.Limiter) (*Download, error) {
	l, file, err := c.openLane(ctx, c.pool.take, path)
	if err != nil {
		return nil, err
	}
	d := &Download{Attrs: file, client: c, path: path, lanes: []lane{l}, more: make(chan lane, MostChannels), stop: func() {}, limit: limit, fixed: true}
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

func (c *Client) openLane(ctx context.Context, take func(context.Context) (*channel, error), path string) (lane, Attrs, error) {
	ch, err := take(ctx)
	if err != nil {
		return lane{}, Attrs{}, err
	}
	handle, err := ch.open(ctx, path, openRead)
	if err != nil {
		err = ch.explain(ctx, err)
		c.pool.give(ch, ctx.Err() == nil && !ch.ended())
		return lane{}, Attrs{}, err
	}
	file, err := ch.fstat(ctx, handle)
	if err != nil {
		c.pool.give(ch, false)
	}
	return lane{ch, handle}, file, err
}

// Worth tells how many lanes are worth it for so many bytes, given the round trip
// to the server. It is most at most.
func (d *Download) Worth(bytes int64, most int) int {
	const quicker = 4 << 20 // fewer bytes are not worth opening another lane
	return 1 + max(0, min(int(d.client.rtt/laneDelay), most-1, int(bytes/quicker)))
}

// Widen opens more lanes in the background, up to n in all. It needs a server that
// makes digests to check the result with: each lane opens the file anew, and the
// file may be replaced meanwhile.
func (d *Download) Widen(ctx context.Context, n int) {
	ctx, d.stop = context.WithCancel(ctx)
	for range n - 1 {
		d.open.Go(func() {
			if !d.client.CanSum(ctx) {
				return
			}
			l, file, err := d.client.openLane(ctx, d.client.pool.spare, d.path)
			if err != nil {
				return
			}
			if file != d.Attrs {
				d.client.pool.give(l.channel, false)
				return
			}
			d.more <- l
		})
	}
}

// laneDelay is the longest round trip at which one channel, with its 2 MiB, still
// carries 1 Gbit/s.
const laneDelay = 16 * time.Millisecond

// laneBytes is for how many bytes a lane asks ahead: somewhat more than its window.
const laneBytes = 3 << 20

// piece is a part of the file that was asked for on a lane.
type piece struct {
	*call
	lane   lane
	offset int64
}

// Lanes is how many channels the file comes over.
func (d *Download) Lanes() int { return len(d.lanes) }

// Stat asks for the attributes of the open file.
func (d *Download) Stat(ctx context.Context) (Attrs, error) {
	a, err := d.lanes[0].fstat(ctx, d.lanes[0].handle)
	return a, d.lanes[0].explain(ctx, err)
}

// CopyAgain reads the whole file once more, over one lane.
func (d *Download) CopyAgain(ctx context.Context, to io.Writer) error {
	first := &Download{Attrs: d.Attrs, client: d.client, path: d.path, lanes: d.lanes[:1], limit: d.limit, fixed: d.fixed}
	return first.Copy(ctx, to, 0, func(int) {})
}

// ErrChanged means that somebody wrote to the file while it was read.
var ErrChanged = errors.New("it changed on the server while it was read; get it again")

// changed waits for the attributes that were asked for after the last byte, and
// compares them with those at the start.
func (d *Download) changed(ctx context.Context, q *call) error {
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
	if now := r.attrs(); now.Size != d.Size || !now.Modified.Equal(d.Modified) {
		return ErrChanged
	}
	return r.fault()
}

// Copy writes the file to a writer, in order and starting at offset, and calls
// progress with the number of bytes written.
func (d *Download) Copy(ctx context.Context, to io.Writer, offset int64, progress func(int)) error {
	var queue []piece
	var spare [][]byte
	var last *call
	for next, turn := offset, 0; ; {
		for next < d.Size && len(queue) < laneBytes/d.client.chunk*len(d.lanes) && (len(queue) == 0 || !queue[0].answered()) {
			d.widened()
			p, err := d.ask(ctx, d.lanes[turn%len(d.lanes)], next, &spare)
			if err != nil {
				return err
			}
			queue, next, turn = append(queue, p), next+int64(len(p.into)), turn+1
		}
		if d.fixed && last == nil && next >= d.Size {
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

// widened adds a lane that Widen has opened.
func (d *Download) widened() {
	select {
	case l := <-d.more:
		d.lanes = append(d.lanes, l)
	default:
	}
}

func (d *Download) ask(ctx context.Context, l lane, offset int64, spare *[][]byte) (piece, error) {
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
	q, err := l.read(l.handle, offset, into[:n])
	return piece{q, l, offset}, err
}

// deliver waits for a piece and writes it. If the server sends less than it was
// asked for, deliver asks for the rest.
func (d *Download) deliver(ctx context.Context, p piece, to io.Writer, progress func(int)) error {
	all := p.into
	for rest := all; ; {
		n, err := p.lane.got(ctx, p.call)
		if errors.Is(err, io.EOF) {
			at := p.offset + int64(len(all)-len(rest))
			return fmt.Errorf("it ended after %d of %d bytes: %w", at, d.Size, io.ErrUnexpectedEOF)
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

// End closes the file, and returns the error that it is given.
func (d *Download) End(err error) error {
	d.stop()
	d.open.Wait()
	close(d.more)
	for l := range d.more {
		d.lanes = append(d.lanes, l)
	}
	for _, l := range d.lanes {
		if err == nil {
			_, err := l.send(fxpClose, newPacket(len(l.handle)+4).string(l.handle), nil)
			d.client.pool.give(l.channel, err == nil)
		} else {
			d.client.pool.give(l.channel, false)
		}
	}
	return err
}
