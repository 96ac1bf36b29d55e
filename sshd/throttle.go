package sshd

import (
	"context"
	"io"

	"golang.org/x/time/rate"
)

// throttled is a channel with rate limits. To slow down a client that sends, it is
// enough to wait after each read: a client may send no more than fits in the
// window, which only reading opens again (RFC 4254 section 5.2).
type throttled struct {
	io.ReadWriter
	ctx              context.Context
	upload, download *rate.Limiter // nil is no limit
}

// throttle adds the rate limits of the service to a channel, if it has any.
func throttle(ctx context.Context, channel io.ReadWriter, s Service) io.ReadWriter {
	if s.Upload == nil && s.Download == nil {
		return channel
	}
	return throttled{channel, ctx, s.Upload, s.Download}
}

func (t throttled) Read(p []byte) (int, error) {
	n, err := t.ReadWriter.Read(p)
	if e := wait(t.ctx, t.upload, n); e != nil {
		err = e
	}
	return n, err
}

func (t throttled) Write(p []byte) (int, error) {
	if err := wait(t.ctx, t.download, len(p)); err != nil {
		return 0, err
	}
	return t.ReadWriter.Write(p)
}

// wait waits for n bytes. A limiter gives no more than its burst at a time.
func wait(ctx context.Context, l *rate.Limiter, n int) error {
	for l != nil && n > 0 {
		part := min(n, l.Burst())
		if err := l.WaitN(ctx, part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}
