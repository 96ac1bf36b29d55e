package sshd

import "golang.org/x/crypto/ssh"

// serveChannels takes the channels that the client opens until the connection
// ends. It goes on taking them, should it panic, since x/crypto waits for that.
func (c *conn) serveChannels(channels <-chan ssh.NewChannel) {
	defer drain(channels)
	defer c.wire.Close()
	for channel := range channels {
		switch {
		case channel.ChannelType() != "session":
			channel.Reject(ssh.Prohibited, "this is a file service; it forwards nothing")
		case !c.openChannel():
			channel.Reject(ssh.ResourceShortage, "too many sessions in this connection")
		default:
			c.spawn(func() {
				defer c.closeChannel()
				c.serveSession(channel)
			})
		}
	}
}

// drain takes what is left when a connection has been closed.
func drain(channels <-chan ssh.NewChannel) {
	for channel := range channels {
		channel.Reject(ssh.ConnectionFailed, "the connection ends")
	}
}

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
