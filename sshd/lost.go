package sshd

import "time"

// lossPause is how long commands may take, once the connection is lost, to see
// what the client sent before. It is far more than they need.
const lossPause = 2 * time.Second

// losing is called by package wire when the network connection has failed, before x/crypto
// is told.
//
// x/crypto gives io.EOF for the end of a channel that the client sent, and for a
// lost connection as well. An upload by scp may end with the one and not with the
// other (package command). So what x/crypto hears is held back while a command
// runs or may start: an io.EOF before it is the client's own end, and lost says
// which came first.
//
// Before login nobody waits any more for what is being judged.
func (c *conn) losing() {
	if leave := c.leaving.Load(); leave != nil {
		(*leave)()
	}
	for end := time.Now().Add(lossPause); c.unsettled.Load() > 0 && c.ctx.Err() == nil && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	c.lost.Store(true)
}
