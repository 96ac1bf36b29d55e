package sshd

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"shelf/keys"
	"shelf/vfs/access"
)

// ConnInfo is what is known of a connection that is logged in. Strings of the
// client are short, and not escaped.
type ConnInfo struct {
	ID            string // as events have it
	Account       string
	Method        string            // how it was proven who it is
	Key           string            // fingerprint of the key, "SHA256:..."; "" is none
	Certificate   *keys.Certificate // nil is none
	Source        string            // address and port of the client
	ClientVersion string            // what the client calls itself
	Since         time.Time         // when it logged in
	Open          int               // files, uploads and listings that are open now
	Transfers     []access.Transfer // files that are read or written now
}

// Connections lists the connections that are logged in, the oldest first.
func (s *Server) Connections() []ConnInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []ConnInfo
	for c := range s.conns {
		if info, ok := c.describe(); ok {
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b ConnInfo) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return all
}

// introduce makes the connection known, since it has logged in.
func (c *conn) introduce() {
	e := c.event(OpLogin, c.loggedIn, nil).clipped()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info = &ConnInfo{
		ID: c.id, Account: e.Account, Method: e.Method, Key: e.KeyFingerprint, Certificate: e.Certificate,
		Source: c.source, ClientVersion: e.ClientVersion, Since: c.loggedIn,
	}
}

// describe is what is known of the connection, once it is logged in.
func (c *conn) describe() (info ConnInfo, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.info == nil {
		return info, false
	}
	info = *c.info
	for p := range c.programs {
		info.Open += p.files.OpenHandles()
	}
	info.Transfers = c.transfers.Now()
	return info, true
}

// Ending is why the server ends a connection.
type Ending struct {
	Op     string // of its event: OpRevoked, OpExpired, OpRemoved or OpKicked; "" is none
	Reason string // for the person at the client, a clause: "your key has been revoked"

	resume bool // the beginning of an upload may be kept, though nobody was kicked
}

const (
	// answerWait is how long the end of a connection waits for an upload that is
	// being published.
	answerWait = time.Minute

	// farewellWait is how long a client then has to read why, and to leave by itself.
	farewellWait = time.Second
)

// End ends the connections that match, and returns how many these are; it does not
// wait. Nothing is read or written from now on, and nothing is published but what
// is being published now: the client is told that, and then why its connection
// ends. match is called with a lock held, and must not call the Server.
func (s *Server) End(why Ending, match func(ConnInfo) bool) (ended int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if info, ok := c.describe(); ok && match(info) && s.end(c, why) {
			ended++
		}
	}
	return ended
}

// end ends a connection, unless that has begun. It is called with mu held.
func (s *Server) end(c *conn, why Ending) bool {
	programs, first := c.stopPrograms(why)
	if !first {
		return false
	}
	// A connection that is in the set has a goroutine that the server waits for.
	s.owned.Go(func() { c.guard(func() { c.dismiss(why, programs) }) })
	return true
}

// keeps tells whether the beginning of an upload may be kept: who comes back may
// go on with it.
func (e Ending) keeps() bool { return e.resume || e.Op == OpKicked }

// dismiss tells the client why, and closes the connection.
func (c *conn) dismiss(why Ending, programs []*program) {
	if why.Op != "" {
		e := c.event(why.Op, c.loggedIn, nil)
		e.Note = why.Reason
		c.config.Report(e)
	}
	var told sync.WaitGroup
	for _, p := range programs {
		told.Go(func() { c.guard(p.dismiss) })
	}
	for _, p := range programs {
		p.awaitAnswer()
	}
	// If nothing more can be sent, this frees those who wait for it.
	defer time.AfterFunc(farewellWait, c.close).Stop()
	told.Wait()
	if len(programs) > 0 {
		c.awaitLeave()
	}
	c.close()
}

// stopPrograms lets none of the programs do anything more. Those that start later
// are stopped by run. first is false if the server has begun to end the connection
// before.
func (c *conn) stopPrograms(why Ending) (programs []*program, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dismissed != nil {
		return nil, false
	}
	c.dismissed = &why
	for p := range c.programs {
		p.files.Stop(why.Reason, why.keeps())
	}
	return slices.Collect(maps.Keys(c.programs)), true
}

// dismiss ends the program, unless it does so by itself.
func (p *program) dismiss() {
	p.awaitAnswer()
	// A client that does not read must not get what waits for it now.
	defer time.AfterFunc(farewellWait, func() { p.channel.Close() }).Stop()
	p.end(exitFailure, false)
}

// farewell tells the person at the client why the connection ends, if the server
// ends it.
func (s *session) farewell() {
	s.conn.mu.Lock()
	why := s.conn.dismissed
	s.conn.mu.Unlock()
	if why != nil {
		fmt.Fprintf(s.stderr(), "The server ends this connection: %s.\r\n", why.Reason)
	}
}

// awaitAnswer waits until the client has heard of an upload that is being
// published.
func (p *program) awaitAnswer() {
	p.conn.await(answerWait, func() bool { return !p.files.Answering() })
}

// awaitLeave waits until the client has left. To close a connection on which
// something arrives takes away from the client what it has not read yet.
func (c *conn) awaitLeave() {
	c.await(farewellWait, func() bool { return c.lost.Load() })
}

// await waits until something is so, but no longer than most, nor after the end
// of the connection.
func (c *conn) await(most time.Duration, is func() bool) {
	poll := time.NewTicker(endPoll)
	defer poll.Stop()
	for end := time.Now().Add(most); !is() && time.Now().Before(end); {
		select {
		case <-poll.C:
		case <-c.ctx.Done():
			return
		}
	}
}

// endPoll is how often await looks.
const endPoll = 5 * time.Millisecond
