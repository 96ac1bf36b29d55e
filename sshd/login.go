package sshd

import (
	"cmp"
	"context"
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
	"shelf/sshd/slots"
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
	if c.hello, err = c.wire.Greet(until); err != nil {
		return nil, nil, err
	}
	if !c.pass.exchange() {
		return nil, nil, errBusy
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	c.leaving.Store(&cancel)
	if !until.IsZero() {
		var over context.CancelFunc
		ctx, over = context.WithDeadline(ctx, until)
		defer over()
	}
	config := c.config.sshConfig(ctx, c.hello, c.admit)
	c.watchTries(config)
	c.wire.Frame(slices.Equal(config.Ciphers, aeadAES()))
	client, channels, requests, err := ssh.NewServerConn(c.wire, config)
	if err != nil {
		return nil, nil, err
	}
	c.client, c.hello.KexInit = client, nil
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

// errBusy ends a connection that would be one too many to exchange keys with.
var errBusy = errors.New("too many connections are exchanging keys")

// admit is asked by keys when all is proven.
func (c *conn) admit(id keys.Identity) error {
	if c.config.Ready != nil && c.config.Ready() != nil { // who writes the events has logged why
		return errors.New("the server cannot record logins now; try again later")
	}
	service, err := c.config.Session(id)
	if err == nil {
		c.renew(service, time.Time{}, time.Time{})
		err = c.pass.admit(id.Account, service.MaxSessions)
	}
	c.tries.full = err != nil
	return err
}

// refuse reports a connection that ended before login, and gives its source a
// penalty. A health check that is exempt is not reported.
func (c *conn) refuse(err error) {
	switch {
	case c.pass.evicted.Load():
		c.refusals.add(slots.ErrFull, c.wire.RemoteAddr())
		return
	case errors.Is(err, errBusy), errors.Is(c.tries.ended, errPenalized):
		c.refusals.add(cmp.Or(c.tries.ended, err), c.wire.RemoteAddr())
		return
	case c.hello.Version == "" && slots.Contains(c.config.Limits.ExemptProbes, c.pass.address):
		return
	}
	c.pass.penalize(c.penalty())
	if c.reported(err) || !c.tries.known && !c.refusals.report(c.wire.RemoteAddr()) {
		return
	}
	e := c.event(OpRefusal, c.started, boundedErr(c.reason(err)))
	e.Account = c.tries.asked
	c.config.Report(e)
}

// reported tells whether the events of its tries say all that there is to say of
// a connection.
func (c *conn) reported(err error) bool {
	var auth *ssh.ServerAuthError
	return c.tries.failed > 0 && c.tries.ended == nil && !c.overdue() &&
		(errors.As(err, &auth) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed))
}

// penalty is that for a connection as a whole: each try that failed has had one.
func (c *conn) penalty() time.Duration {
	rules := c.config.Limits.Penalties
	switch {
	case c.ctx.Err() != nil:
		return 0 // the server is stopping
	case c.overdue():
		return rules.GraceExceeded
	case c.tries.failed > 0:
		return 0
	case c.tries.offered:
		return rules.AuthFail
	}
	return rules.NoAuth
}

// reason says why a connection ended before login. After failed tries it is the
// reason of the last one.
func (c *conn) reason(err error) error {
	var auth *ssh.ServerAuthError
	switch {
	case c.tries.ended != nil:
		return c.tries.ended
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
