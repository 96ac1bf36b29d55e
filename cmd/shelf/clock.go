package main

import (
	"context"
	"fmt"
	"time"
)

// clock is the time that a server has to let us in. It is a context, and not a
// deadline of the connection, since by way of another server there is none.
type clock struct {
	context.Context
	limit time.Duration
	timer *time.Timer
	end   context.CancelCauseFunc
}

func startClock(ctx context.Context, limit time.Duration) *clock {
	ctx, end := context.WithCancelCause(ctx)
	late := fmt.Errorf("it has not let us in within %v", limit)
	return &clock{ctx, limit, time.AfterFunc(limit, func() { end(late) }), end}
}

// pause stops the clock while a person is asked.
func (c *clock) pause() (resume func()) {
	c.timer.Stop()
	return func() { c.timer.Reset(c.limit) }
}

func (c *clock) stop() {
	c.timer.Stop()
	c.end(nil)
}

// explain says of an error that the end of time has made that it has.
func (c *clock) explain(err error) error {
	if c.Err() != nil {
		return context.Cause(c)
	}
	return err
}
