package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/time/rate"
)

// byteRate is a flag: bytes per second, such as 500K or 2.5M; 0 is no limit.
type byteRate int64

// String implements [pflag.Value].
func (b *byteRate) String() string {
	if *b == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Type implements [pflag.Value].
func (*byteRate) Type() string { return "RATE" }

// Set implements [pflag.Value]. The letters are powers of 1024, as rates are
// shown.
func (b *byteRate) Set(s string) error {
	digits := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	unit := 1.0
	if n := len(digits) - 1; n >= 0 {
		if i := strings.IndexByte("KMGT", digits[n]); i >= 0 {
			digits, unit = digits[:n], float64(int64(1)<<(10*(i+1)))
		}
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(f*unit >= 1 && f*unit <= 1<<50) { // as is what is not a number
		return fmt.Errorf("%q is no rate; write bytes per second, such as 500K or 2M", s)
	}
	*b = byteRate(f * unit)
	return nil
}

// limiter bounds all transfers of a command together.
func (b byteRate) limiter() *rate.Limiter {
	if b == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(b), chunkAt(float64(b), largeChunk))
}

// chunkAt is how many bytes to move at once: at a low rate less, so that it
// flows.
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
