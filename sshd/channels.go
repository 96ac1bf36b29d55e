package sshd

import "golang.org/x/crypto/ssh"

// serveChannels serves the channels that the client opens, until the connection
// ends. Even after a panic it drains the queue of new channels, since x/crypto
// waits for that.
func (c *conn) serveChannels(channels <-chan ssh.NewChannel) {
	defer drain(channels)
	defer c.wire.Close()
	for channel := range channels {
		switch {
		case channel.ChannelType() != "session":
			channel.Reject(ssh.Prohibited, "this is a file service; forwarding is not supported")
		case !c.openChannel():
			channel.Reject(ssh.ResourceShortage, "too many open channels on this connection")
		default:
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

// openChannel counts a new channel, unless there are MaxSessions already.
func (c *conn) openChannel() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.channels >= c.config.Limits.MaxSessions {
		return false
	}
	c.channels++
	return true
}

func (c *conn) closeChannel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.channels--
}
