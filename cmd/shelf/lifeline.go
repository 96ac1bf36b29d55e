package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// errLost is a connection that ended while it was needed.
var errLost = errors.New("the connection is lost")

// lifeline is what all channels of a connection share: its end.
type lifeline struct {
	*ssh.Client
	timeout time.Duration // how long a server may be silent; 0 is for ever
	lost    chan struct{} // closed when the connection has ended

	mu  sync.Mutex // guards why
	why error      // why we ended it, if we did
}

func newLifeline(client *ssh.Client, timeout time.Duration) *lifeline {
	l := &lifeline{Client: client, timeout: timeout, lost: make(chan struct{})}
	go func() {
		client.Wait()
		close(l.lost)
	}()
	return l
}

// silent ends the connection to a server that does not answer.
func (l *lifeline) silent() error {
	l.mu.Lock()
	if l.why == nil {
		l.why = fmt.Errorf("%w: the server has not answered for %v", errLost, l.timeout)
	}
	err := l.why
	l.mu.Unlock()
	l.Close()
	return err
}

// explain makes of what a dead connection does to its users one plain error.
// Once we have ended it, whatever they meet is that.
func (l *lifeline) explain(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && l.why != nil {
		return l.why
	}
	network := (*net.OpError)(nil)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.As(err, &network):
		return errLost
	}
	return err
}
