package sshd

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"shelf/keys"
)

// Reload sets the configuration for new connections. Connections that are open
// keep the one they began with, but are judged by the new one: who may not log in
// any more is ended, and what an account may do less holds from its next request
// on. On an error nothing changes.
func (s *Server) Reload(c Config) error {
	c, err := c.complete()
	if err != nil {
		return err
	}
	s.gate.limit(c.Limits)
	s.current.Store(&c)
	s.judge(func(*conn) bool { return true })
	return nil
}

// complete checks a configuration and fills in the fields that may be nil.
func (c Config) complete() (Config, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Report == nil {
		c.Report = func(Event) error { return nil }
	}
	report := c.Report
	c.Report = func(e Event) error { return report(e.clipped()) }
	return c, c.check()
}

const (
	// judgeTick is how often connections are looked for that have to be judged.
	judgeTick = time.Second
	// judgeEvery is how often each connection is judged.
	judgeEvery = time.Minute
)

// watch judges connections when it is time, until ctx ends.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(judgeTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.judge(func(c *conn) bool { return c.isDue(now) })
		}
	}
}

// judge looks at connections anew that are logged in.
func (s *Server) judge(which func(*conn) bool) {
	for _, c := range s.loggedIn(which) {
		c.guard(func() { s.judgeOne(c) })
	}
}

func (s *Server) loggedIn(which func(*conn) bool) (all []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if _, ok := c.describe(); ok && which(c) {
			all = append(all, c)
		}
	}
	return all
}

func (s *Server) judgeOne(c *conn) {
	config := s.current.Load()
	now := time.Now()
	lost, until := config.Accounts.Judge(c.identity, c.wire.RemoteAddr())
	var why *Ending
	if lost != nil {
		why = endingOf(lost)
	} else if service, err := config.Session(c.identity); err != nil {
		why = &Ending{Op: OpRemoved, Reason: err.Error()}
	} else {
		why = c.renew(service, until, now)
	}
	if why == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.conns[c]; open {
		s.end(c, *why)
	}
}

// endingOf says for the person why a login is not good any more.
func endingOf(lost *keys.Lost) *Ending {
	ops := [...]string{keys.Removed: OpRemoved, keys.Revoked: OpRevoked, keys.Expired: OpExpired}
	return &Ending{Op: ops[lost.Loss], Reason: lost.Err.Error()}
}

// renew has the connection served as its account is now, until it has to be judged
// again; or says why it has to end.
func (c *conn) renew(service Service, until, now time.Time) *Ending {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := now.Add(judgeEvery)
	if most := service.MaxSessionTime; most > 0 {
		end := c.loggedIn.Add(most)
		if !now.Before(end) {
			return &Ending{Op: OpExpired, Reason: fmt.Sprintf("a session lasts at most %v here; connect again", most), resume: true}
		}
		due = earliest(end, due)
	}
	c.due, c.service = earliest(until, due), service
	for p := range c.programs {
		p.files.Change(service.Options)
	}
	return nil
}

// isDue tells whether it is time to judge the connection.
func (c *conn) isDue(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dismissed == nil && !now.Before(c.due)
}

// earliest returns the earlier of a deadline and a time. A zero deadline is none.
func earliest(deadline, t time.Time) time.Time {
	if deadline.IsZero() || t.Before(deadline) {
		return t
	}
	return deadline
}
