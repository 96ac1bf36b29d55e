package sshd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
)

// handshake agrees on keys and lets the client log in, all within the login
// grace time: a client that says nothing, or byte by byte, is gone after it.
func (c *conn) handshake() (<-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	var until time.Time
	if grace := c.config.Limits.LoginGraceTime; grace > 0 {
		until = c.started.Add(grace)
	}
	c.wire.SetDeadline(until)
	var err error
	if c.hello, err = c.wire.greet(until); err != nil {
		return nil, nil, err
	}
	config := c.config.sshConfig(c.hello)
	config.AuthLogCallback = c.logAttempt
	client, channels, requests, err := ssh.NewServerConn(c.wire, config)
	if err != nil {
		return nil, nil, err
	}
	c.client = client
	var known bool
	if c.identity, known = keys.IdentityOf(client.Permissions); !known {
		return nil, nil, c.abandon(channels, requests, errors.New("login without an identity"))
	}
	c.wire.SetDeadline(time.Time{})
	return channels, requests, nil
}

// abandon ends a handshake that x/crypto holds to be done.
func (c *conn) abandon(channels <-chan ssh.NewChannel, requests <-chan *ssh.Request, err error) error {
	c.close()
	c.spawn(func() { ssh.DiscardRequests(requests) })
	drain(channels)
	return err
}

// logAttempt hears of each try to log in.
func (c *conn) logAttempt(client ssh.ConnMetadata, method string, err error) {
	c.asked = client.User()
	c.log.Debug("login attempt", "account", c.asked, "method", method, "err", err)
}

// refuse reports a connection that ended before login.
func (c *conn) refuse(err error) {
	e := c.event(OpRefusal, c.started, c.reason(err))
	e.Account = c.asked
	c.config.Report(e)
}

// reason says why a connection ended before login, in the words of the last
// thing that was refused.
func (c *conn) reason(err error) error {
	var auth *ssh.ServerAuthError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), c.overdue():
		return errors.New("the login grace time is over")
	case errors.As(err, &auth) && len(auth.Errors) > 0:
		return fmt.Errorf("login failed: %w", auth.Errors[len(auth.Errors)-1])
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return errors.New("the connection was closed before login")
	}
	return err
}

// overdue tells whether the login grace time is over. What x/crypto returns
// then need not say so: one of its goroutines may close the connection before
// another has seen the deadline pass.
func (c *conn) overdue() bool {
	grace := c.config.Limits.LoginGraceTime
	return grace > 0 && time.Since(c.started) >= grace
}
