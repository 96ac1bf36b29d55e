package sshd

import (
	"context"
	"errors"
	"time"
)

// shutdownPoll is how often Shutdown checks which connections are idle.
const shutdownPoll = 20 * time.Millisecond

// cleanup is how long a connection may take to end after it was closed. That is
// time for the disk; the client is gone by then.
const cleanup = 5 * time.Second

// calm is how long a client has sent nothing when its connection is idle: who has
// many files to send has none open in between.
const calm = 2 * time.Second

// stopping is why idle connections end. There is no event but the logout.
var stopping = Ending{Reason: "the server stops or is replaced; connect again", resume: true}

// Shutdown stops accepting connections and ends each connection as soon as it is
// idle, with the reason. Those that were accepted before are served, also if they
// have not logged in yet. When ctx ends, it closes the rest and returns the cause of
// ctx. It returns when the goroutines of all connections have ended.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	defer s.refusals.flush()
	poll := time.NewTicker(shutdownPoll)
	defer poll.Stop()
	ended := make(chan struct{})
	go func() { s.owned.Wait(); close(ended) }()
	for {
		s.endIdle()
		select {
		case <-ended:
			return nil
		case <-ctx.Done():
			s.closeConns(func(*conn) bool { return true })
			return errors.Join(context.Cause(ctx), await(ended))
		case <-poll.C:
		}
	}
}

// await waits until closed connections have ended.
func await(ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-time.After(cleanup):
		return errors.New("some connections did not end in time")
	}
}

// stop stops accepting connections, and returns when those that were accepted are
// counted: others may share the listening socket, and nobody accepts them again.
func (s *Server) stop() {
	s.mu.Lock()
	s.stopping = true
	l := s.listener
	s.mu.Unlock()
	if l != nil {
		l.Close()
	}
	s.serving.Wait()
}

// endIdle ends the connections that are idle.
func (s *Server) endIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.idle() {
			s.end(c, stopping)
		}
	}
}

func (s *Server) closeConns(which func(*conn) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if which(c) {
			c.close()
		}
	}
}
