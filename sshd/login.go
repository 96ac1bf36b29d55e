package sshd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
)

// handshake negotiates keys and lets the client log in. The deadline for all of it
// is the login grace time, so a client that sends nothing, or one byte at a time,
// is disconnected then.
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
	config := c.config.sshConfig(c.hello, c.admit)
	config.AuthLogCallback = c.logAttempt
	c.wire.framed = slices.Equal(config.Ciphers, aeadAES())
	client, channels, requests, err := ssh.NewServerConn(c.wire, config)
	if err != nil {
		return nil, nil, err
	}
	c.client, c.hello.kexInit = client, nil
	var known bool
	if c.identity, known = keys.IdentityOf(client.Permissions); !known {
		return nil, nil, c.abandon(channels, requests, errors.New("login without an identity"))
	}
	c.wire.SetDeadline(time.Time{})
	return channels, requests, nil
}

// abandon ends a connection whose handshake x/crypto has completed.
func (c *conn) abandon(channels <-chan ssh.NewChannel, requests <-chan *ssh.Request, err error) error {
	c.close()
	c.spawn(func() { ssh.DiscardRequests(requests) })
	drain(channels)
	return err
}

// admit is called by keys when the client has proven who it is.
func (c *conn) admit(id keys.Identity) error {
	service, err := c.config.Session(id)
	if err != nil {
		return err
	}
	c.service = service
	return c.pass.admit(id.Account, service.MaxSessions)
}

// logAttempt is called by x/crypto for each try to log in.
func (c *conn) logAttempt(client ssh.ConnMetadata, method string, err error) {
	var partial *ssh.PartialSuccessError
	c.asked = client.User()
	if err != nil && method != "none" && !errors.As(err, &partial) {
		c.failures++
	}
	c.log.Debug("login attempt", "account", c.asked, "method", method, "err", err)
}

// refuse reports a connection that ended before login, and gives its source a
// penalty. A health check that is exempt is not reported.
func (c *conn) refuse(err error) {
	if c.hello.version == "" && contains(c.config.Limits.ExemptProbes, c.pass.source.Addr()) {
		return
	}
	c.pass.gate.penalize(c.pass.source, c.penalty(err))
	e := c.event(OpRefusal, c.started, c.reason(err))
	e.Account = c.asked
	c.config.Report(e)
}

// penalty is the penalty for a connection that ended before login.
func (c *conn) penalty(err error) time.Duration {
	rules := c.config.Limits.Penalties
	switch {
	case c.ctx.Err() != nil:
		return 0 // the server is stopping
	case c.overdue():
		return rules.GraceExceeded
	case c.failures > 0:
		return rules.AuthFail
	}
	return rules.NoAuth
}

// reason says why a connection ended before login. After failed tries it is the
// reason of the last one.
func (c *conn) reason(err error) error {
	var auth *ssh.ServerAuthError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), c.overdue():
		return errors.New("the login took longer than the login grace time")
	case errors.As(err, &auth) && len(auth.Errors) > 0:
		return fmt.Errorf("login failed: %w", unmet(auth.Errors[len(auth.Errors)-1]))
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return errors.New("the connection was closed before login")
	case askedAgain(err):
		return errors.New("the client sent a second service request, which is not supported before login; " +
			"paramiko does that with each try: have it offer one key (allow_agent=False, look_for_keys=False), " +
			"or connect with transport_factory=paramiko.ServiceRequestingTransport")
	}
	return err
}

// askedAgain tells whether x/crypto ended a login because the client sent another
// SSH_MSG_SERVICE_REQUEST (RFC 4253 section 10). x/crypto has no type for that.
func askedAgain(err error) bool {
	return strings.Contains(err.Error(), "unexpected message type 5 (")
}

// unmet replaces x/crypto's ErrNoAuth by a plain message: the client asked which
// methods there are, and then tried none of them (RFC 4252 section 5.2).
func unmet(err error) error {
	if errors.Is(err, ssh.ErrNoAuth) {
		return errors.New("no acceptable key or password was offered")
	}
	return err
}

// overdue tells whether the login grace time is over. The error of x/crypto does
// not always say so: one of its goroutines may close the connection before another
// sees the deadline pass.
func (c *conn) overdue() bool {
	grace := c.config.Limits.LoginGraceTime
	return grace > 0 && time.Since(c.started) >= grace
}
