package sshd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
	"shelf/vfs"
)

// tries is what a client has tried to log in with, on one connection. It belongs
// to the connection's own goroutine.
//
// Each try that failed is an event and a penalty at once, whatever follows on the
// connection. A key that is offered and not wanted is none: nothing is guessed by
// it, and a client offers one after the other of those that its person has. Such
// offers count, together as one, if the connection ends without a login.
type tries struct {
	asked   string // the account that the client asks for, unproven
	known   bool   // it has asked for one
	refused bool   // anything it asked for was refused
	failed  int    // tries
	offered bool   // a key
	full    bool   // all was proven, and there was no place for one more
	ended   error  // why the server ended the connection
}

// watchTries reports each attempt to log in to the connection.
func (c *conn) watchTries(config *ssh.ServerConfig) {
	config.AuthLogCallback = c.logAttempt
	if judge := config.PublicKeyCallback; judge != nil {
		config.PublicKeyCallback = func(client ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if err := c.asks(client.User()); err != nil {
				return nil, err
			}
			c.tries.offered = true
			return judge(client, key)
		}
	}
	if judge := config.PasswordCallback; judge != nil {
		config.PasswordCallback = func(client ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if err := c.guesses(client.User()); err != nil {
				return nil, err
			}
			return judge(client, password)
		}
	}
	if judge := config.KeyboardInteractiveCallback; judge != nil {
		config.KeyboardInteractiveCallback = func(client ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			if err := c.guesses(client.User()); err != nil {
				return nil, err
			}
			return judge(client, ask)
		}
	}
}

// asks notes which account the client asks for. To ask for another after a
// refusal ends the connection: one connection would do for a list of names.
func (c *conn) asks(account string) error {
	switch {
	case c.tries.ended != nil:
		return c.tries.ended
	case c.tries.known && c.tries.refused && account != c.tries.asked:
		return c.end(fmt.Errorf("after a refusal the client asked for another account, %q", vfs.Clip(account)))
	}
	c.tries.asked, c.tries.known = account, true
	return nil
}

// guesses is asked before a secret is judged. A source that has to wait may not
// go on guessing on other connections that it opened before.
func (c *conn) guesses(account string) error {
	err := c.asks(account)
	if err == nil && c.tries.failed == 0 {
		if why := c.pass.penalized(); why != nil {
			return c.end(why)
		}
	}
	return err
}

// end ends the connection before login.
func (c *conn) end(why error) error {
	c.tries.ended = why
	c.wire.Close()
	return why
}

// logAttempt hears how each thing that the client asked for was answered.
func (c *conn) logAttempt(client ssh.ConnMetadata, method string, err error) {
	c.asks(client.User())
	c.log.Debug("login attempt", "account", vfs.Clip(client.User()), "method", vfs.Clip(method), "err", boundedErr(err))
	var partial *ssh.PartialSuccessError
	if err == nil || errors.As(err, &partial) {
		return
	}
	c.tries.refused = true
	if c.tries.ended != nil || !failedTry(method, err) {
		return
	}
	c.tries.failed++
	if !c.tries.full {
		c.pass.penalize(c.config.Limits.Penalties.AuthFail)
	}
	e := c.event(OpRefusal, time.Now(), boundedErr(fmt.Errorf("login failed: %w", err)))
	e.Account, e.Method = c.tries.asked, method
	if !c.pass.gate.failures.Allow() {
		c.refusals.add(errUnreported, c.wire.RemoteAddr())
		return
	}
	c.config.Report(e)
}

// failedTry tells whether a refusal is of something that was meant to prove who
// the client is. A key is only that once it has signed: then its refusal has a
// reason for the person.
func failedTry(method string, err error) bool {
	var proven *ssh.BannerError
	switch {
	case method == "none", errors.Is(err, keys.ErrUnanswered):
		return false
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return false // it was not judged
	case method == "publickey":
		return errors.As(err, &proven)
	}
	return true
}
