package sftp

import (
	"context"

	"golang.org/x/time/rate"
)

// NewLimiter bounds transfers to so many bytes per second together; 0 is no limit.
func NewLimiter(perSecond int64) *rate.Limiter {
	if perSecond == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), chunkAt(float64(perSecond), largeChunk))
}

// chunkAt is how many bytes to move at once. It is less at a low rate, so that the
// bytes flow evenly.
func chunkAt(perSecond float64, most int) int { return min(max(int(perSecond/8), 1024), most) }

func chunkFor(l *rate.Limiter, most int) int {
	if l == nil {
		return most
	}
	return chunkAt(float64(l.Limit()), most)
}

// wait waits until n bytes may be moved.
func wait(ctx context.Context, l *rate.Limiter, n int) error {
	if l == nil {
		return nil
	}
	return l.WaitN(ctx, n)
}
