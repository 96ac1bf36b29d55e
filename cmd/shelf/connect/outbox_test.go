package connect

import (
	"net"
	"os"
	"testing"
	"time"
)

// stuck is a connection as it is behind a jump: it knows no deadlines.
type stuck struct {
	net.Conn
	gone chan struct{}
}

func (s stuck) Write([]byte) (int, error)        { <-s.gone; return 0, net.ErrClosed }
func (s stuck) Close() error                     { close(s.gone); return nil }
func (s stuck) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// A connection that takes nothing any more can be closed all the same.
func TestCloseStuck(t *testing.T) {
	t.Parallel()
	o := newOutbox(stuck{gone: make(chan struct{})})
	o.Write([]byte("a last word"))
	done := make(chan struct{})
	go func() {
		o.Close()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it was not closed")
	}
}
