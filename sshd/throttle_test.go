package sshd

import (
	"bytes"
	"context"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// A burst passes at once. If more would have to wait until after the deadline, the
// call fails. A direction without a limit is not slowed down.
func TestThrottle(t *testing.T) {
	for name, test := range map[string]struct{ upload, download *rate.Limiter }{
		"up":   {upload: rate.NewLimiter(1, 100)},
		"down": {download: rate.NewLimiter(1, 100)},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			content := bytes.NewBuffer(make([]byte, 1000))
			c := throttle(ctx, content, Service{Upload: test.upload, Download: test.download})
			read := func(n int) error { _, err := c.Read(make([]byte, n)); return err }
			write := func(n int) error { _, err := c.Write(make([]byte, n)); return err }
			limited, free := read, write
			if test.upload == nil {
				limited, free = write, read
			}
			if err := limited(100); err != nil {
				t.Errorf("what the bucket holds: %v", err)
			}
			if err := limited(100); err == nil {
				t.Error("more passes than the bucket holds")
			}
			if err := free(500); err != nil {
				t.Errorf("the other direction: %v", err)
			}
		})
	}
	plain := new(bytes.Buffer)
	if c := throttle(t.Context(), plain, Service{}); c != plain {
		t.Error("without limits the channel is wrapped")
	}
}
