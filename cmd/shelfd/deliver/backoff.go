package deliver

import (
	"math/rand/v2"
	"time"
)

// backoff is when an event that failed is tried again.
type backoff struct {
	least, most time.Duration
}

// recheck is how long an event waits at the longest that had no answer, when another
// one was delivered since: the receiver is back.
const recheck = time.Minute

// after is how long to wait after so many tries: twice as long each time, and up to
// half as long again, so that those who failed together do not come back together.
func (b backoff) after(tries int) time.Duration {
	d := b.least
	for range tries - 1 {
		if d >= b.most {
			break
		}
		d *= 2
	}
	d = min(d, b.most)
	return min(d+rand.N(d/2+1), b.most)
}
