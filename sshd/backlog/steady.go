package backlog

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// maxUnsent is how much programs may write while keys are exchanged anew, in bytes,
// before they wait for the end of it.
const maxUnsent = 128 << 10

// Steady is a connection whose programs do not write on and on while keys are
// exchanged. x/crypto keeps what is written then, up to 2 MiB, and a client may begin
// an exchange and never end it.
type Steady struct {
	ctx    context.Context // of the connection
	sent   *atomic.Int64
	unsent atomic.Int64 // bytes that wait for the end of an exchange
}

// NewSteady watches a connection; sent counts the bytes that are on their way to the
// client.
func NewSteady(ctx context.Context, sent *atomic.Int64) *Steady {
	return &Steady{ctx: ctx, sent: sent}
}

// Channel is a channel of the connection.
func (s *Steady) Channel(c io.ReadWriter) io.ReadWriter { return steadyChannel{c, s} }

type steadyChannel struct {
	io.ReadWriter
	s *Steady
}

// Write implements [io.Writer]. What was written, and is not on its way to the
// client, waits for the end of an exchange.
func (c steadyChannel) Write(p []byte) (int, error) {
	s := c.s
	sent := s.sent.Load()
	for wait := time.Millisecond; s.unsent.Load() > maxUnsent && s.sent.Load() == sent; wait = min(2*wait, 50*time.Millisecond) {
		select {
		case <-s.ctx.Done():
			return 0, io.ErrClosedPipe
		case <-time.After(wait):
		}
	}
	sent = s.sent.Load()
	n, err := c.ReadWriter.Write(p)
	if s.sent.Load() == sent {
		s.unsent.Add(int64(n))
	} else {
		s.unsent.Store(0)
	}
	return n, err
}
