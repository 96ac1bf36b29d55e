package connect

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// While a person thinks, the clock stands still.
func TestClock(t *testing.T) {
	t.Parallel()
	c := startClock(context.Background(), 50*time.Millisecond)
	resume := c.pause()
	select {
	case <-c.Done():
		t.Fatal("it went on")
	case <-time.After(200 * time.Millisecond):
	}
	resume()
	<-c.Done()
	if err := c.explain(io.EOF); !strings.Contains(err.Error(), "within 50ms") {
		t.Error(err)
	}
	c.stop()
}
