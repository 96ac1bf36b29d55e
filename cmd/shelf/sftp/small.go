package sftp

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// small is the channel that small files share.
type small struct {
	mu    sync.Mutex // guards what follows
	ch    *channel
	users int
	clean bool // no file was left open
}

// MostSmall is the size of the largest file that goes with one WRITE, in bytes.
func (c *Client) MostSmall() int { return c.chunk }

// UploadSmall writes a file whole, and sets its time. The file must fit into one
// WRITE. What follows OPEN is sent without waiting for replies, and many files may be
// on their way on one channel: so a long link is waited for once, and not at each
// step of each file.
//
// If WRITE fails, CLOSE was sent nevertheless. Shelf publishes nothing then; on other
// servers the file must not have its name yet.
func (c *Client) UploadSmall(ctx context.Context, path string, flags uint32, content []byte, modified time.Time) (err error) {
	ch, err := c.takeSmall(ctx)
	if err != nil {
		return err
	}
	// A handle that nobody knows is closed with its channel.
	defer func() { c.giveSmall(ctx.Err() == nil && !ch.ended()) }()
	handle, err := ch.open(ctx, path, flags)
	if err != nil {
		return noContext(ctx, err)
	}
	replies, err := ch.sendSmall(handle, content, modified)
	if err != nil {
		return err
	}
	for _, q := range replies {
		if err := ch.wait(ctx, q); err != nil {
			return noContext(ctx, err)
		}
	}
	_, err = replies[0].expect(fxpStatus) // of WRITE
	if err == nil && !c.Stages {
		err = whole(replies[2], len(content))
	}
	if _, closed := replies[3].expect(fxpStatus); err == nil {
		err = closed
	}
	return err
}

// sendSmall sends all that comes after OPEN: WRITE, FSETSTAT, FSTAT, CLOSE.
func (c *channel) sendSmall(handle string, content []byte, modified time.Time) (replies [4]*call, err error) {
	start := func() packet { return newPacket(len(handle) + 20).string(handle) }
	for i, r := range []struct {
		kind byte
		p    packet
	}{
		{fxpWrite, append(start().uint64(0).uint32(uint32(len(content))), content...)},
		{fxpFsetstat, start().times(modified)}, // an error of it is not worth a failure
		{fxpFstat, start()},
		{fxpClose, start()},
	} {
		if replies[i], err = c.send(r.kind, r.p, nil); err != nil {
			return replies, err
		}
	}
	return replies, nil
}

// whole fails if the reply to FSTAT tells another size.
func whole(q *call, size int) error {
	r, err := q.expect(fxpAttrs)
	if err != nil {
		return err
	}
	if there := r.attrs(); there.Size != int64(size) && !r.bad {
		return fmt.Errorf("%d of %d bytes are on the server; put it again", there.Size, size)
	}
	return r.fault()
}

// noContext is the error, or why ctx has ended.
func noContext(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (c *Client) takeSmall(ctx context.Context) (*channel, error) {
	s := &c.small
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		ch, err := c.pool.take(ctx)
		if err != nil {
			return nil, err
		}
		s.ch, s.clean = ch, true
	}
	s.users++
	return s.ch, nil
}

func (c *Client) giveSmall(clean bool) {
	s := &c.small
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clean = s.clean && clean
	if s.users--; s.users == 0 {
		c.pool.give(s.ch, s.clean)
		s.ch = nil
	}
}
