package sshd

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/sshd/budget"
	"shelf/sshd/window"
)

// serveChannels serves the channels that the client opens, until the connection
// ends. Even after a panic it drains the queue of new channels, since x/crypto
// waits for that.
func (c *conn) serveChannels(channels <-chan ssh.NewChannel) {
	defer drain(channels)
	defer c.wire.Close()
	for channel := range channels {
		switch {
		case channel.ChannelType() != "session":
			c.unserved(OpForward, forward(channel.ChannelType(), channel.ExtraData()), errForward)
			channel.Reject(ssh.Prohibited, errForward.Why)
		default:
			if err := c.openChannel(); err != nil {
				channel.Reject(ssh.ResourceShortage, err.Error())
				continue
			}
			c.spawn(func() {
				defer c.closeChannel()
				c.serveSession(channel)
			})
		}
	}
}

// drain rejects the channels that still come after the connection was closed.
func drain(channels <-chan ssh.NewChannel) {
	for channel := range channels {
		channel.Reject(ssh.ConnectionFailed, "the connection is being closed")
	}
}

// openChannel counts a new channel, or says why there can't be one more.
func (c *conn) openChannel() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dismissed != nil {
		return errors.New("the connection is being ended")
	}
	if most := c.config.Limits.MaxSessions; c.channels >= most {
		return fmt.Errorf("too many channels: a connection may have %d at a time (max_sessions)", most)
	}
	if err := c.pass.share.Take(budget.Channels, 1); err != nil {
		return err
	}
	c.channels++
	return nil
}

func (c *conn) closeChannel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.channels--
	c.pass.share.Give(budget.Channels, 1)
}

// widen has the window of a channel follow what the link to the client needs.
func (c *conn) widen(channel ssh.Channel) *window.Window {
	return window.New(channel, &c.roundTrip, c.windows.Of(c.identity.Account))
}

// rest lets others have what the windows of a silent client took.
func (c *conn) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.programs {
		p.channel.Rest()
	}
}

// programPoll is how often is looked whether a channel without a program has got
// data.
const programPoll = time.Second

// awaitProgram ends a channel on which the client starts nothing within the login
// grace time, or that gets data before: nobody would ever read it. Clients start
// something at once.
func (s *session) awaitProgram() {
	tick := time.NewTicker(programPoll)
	defer tick.Stop()
	wait, opened := s.conn.config.Limits.LoginGraceTime, time.Now()
	for early := false; ; {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		switch {
		case s.running.Load():
			return
		case wait > 0 && time.Since(opened) > wait:
			s.expel(fmt.Sprintf("nothing was started on this channel for %v", wait))
			return
		case early && s.queue.HasData():
			s.expel("data came before a command or subsystem was started")
			return
		}
		early = s.queue.HasData() // the request before it may be about to be answered
	}
}

// expel ends a channel that has no program.
func (s *session) expel(why string) {
	s.conn.log.Debug("a channel is closed", "reason", why)
	s.tell("This is a file service; " + why + ".\r\n")
	s.channel.Close()
}

// tell prints to the person. A client that does not read must not keep the channel
// from being served, so this waits only a moment. It tells one thing alone.
func (s *session) tell(text string) {
	s.told.Do(func() {
		done := make(chan struct{})
		s.conn.spawn(func() {
			defer close(done)
			fmt.Fprint(s.stderr(), text)
		})
		select {
		case <-done:
		case <-time.After(time.Second):
		}
	})
}
