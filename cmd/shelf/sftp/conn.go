package sftp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// ErrLost is a connection that ended while it was needed.
var ErrLost = errors.New("the connection is lost")

// conn is the SSH connection that all channels share, and how it ends.
type conn struct {
	*ssh.Client
	timeout time.Duration // how long a server may be silent; 0 is for ever
	lost    chan struct{} // closed when the connection has ended

	mu  sync.Mutex // guards why
	why error      // why we ended it, if we did
}

func newConn(client *ssh.Client, timeout time.Duration) *conn {
	c := &conn{Client: client, timeout: timeout, lost: make(chan struct{})}
	go func() {
		client.Wait()
		close(c.lost)
	}()
	return c
}

// silent ends the connection to a server that does not answer.
func (c *conn) silent() error {
	c.mu.Lock()
	if c.why == nil {
		c.why = fmt.Errorf("%w: the server has not answered for %v", ErrLost, c.timeout)
	}
	err := c.why
	c.mu.Unlock()
	c.Close()
	return err
}

// explain turns the many errors of a dead connection into one. After we have
// ended the connection, that is the reason for whatever fails on it.
func (c *conn) explain(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.why != nil {
		return c.why
	}
	network := (*net.OpError)(nil)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.As(err, &network):
		return ErrLost
	}
	return err
}

// A server that does not answer this many keepalives, one each interval, is gone.
const (
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 3
)

// keepAlive finds out that the server has gone without closing the connection.
func (c *conn) keepAlive(interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	asked, missed := false, 0
	for {
		select {
		case <-c.lost:
			return
		case <-answered:
			asked, missed = false, 0
			continue
		case <-tick.C:
		}
		if asked {
			if missed++; missed >= keepAliveCount {
				c.Close()
				return
			}
			continue
		}
		asked = true
		go func() {
			if _, _, err := c.SendRequest("keepalive@openssh.com", true, nil); err == nil {
				answered <- struct{}{}
			}
		}()
	}
}
