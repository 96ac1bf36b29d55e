package backlog

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestProgramsWaitForAKeyExchange has a program write while nothing is sent.
func TestProgramsWaitForAKeyExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		var kept bytes.Buffer
		ctx, end := context.WithCancel(t.Context())
		channel := NewSteady(ctx, &sent).Channel(&kept)
		var failed error
		go func() {
			for failed == nil {
				_, failed = channel.Write(make([]byte, 32<<10))
			}
		}()
		stuck := func() int {
			for range 10 {
				synctest.Wait()
			}
			return kept.Len()
		}
		if n := stuck(); n > maxUnsent+32<<10 {
			t.Errorf("%d bytes wait for the exchange", n)
		}
		sent.Add(1)
		end()
		synctest.Wait()
	})
}
