package connect

import (
	"context"
	"fmt"
	"time"
)

// clock is the time that a server has for a login. It is a context and not a
// deadline of the connection: a connection through another server has none.
type clock struct {
	context.Context
	limit time.Duration
	timer *time.Timer
	end   context.CancelCauseFunc
}

func startClock(ctx context.Context, limit time.Duration) *clock {
	ctx, end := context.WithCancelCause(ctx)
	late := fmt.Errorf("no login within %v", limit)
	return &clock{ctx, limit, time.AfterFunc(limit, func() { end(late) }), end}
}

// pause stops the clock while a person is asked. It starts anew after that.
func (c *clock) pause() (resume func()) {
	c.timer.Stop()
	return func() { c.timer.Reset(c.limit) }
}

func (c *clock) stop() {
	c.timer.Stop()
	c.end(nil)
}

// explain replaces an error by the cause if the time is over.
func (c *clock) explain(err error) error {
	if c.Err() != nil {
		return context.Cause(c)
	}
	return err
}
