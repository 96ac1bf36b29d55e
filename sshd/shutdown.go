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

// Shutdown stops accepting connections and closes each connection as soon as it
// has no file open. When ctx ends, it closes the rest and returns the cause of
// ctx. It returns when the goroutines of all connections have ended.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	defer s.refusals.flush()
	poll := time.NewTicker(shutdownPoll)
	defer poll.Stop()
	ended := make(chan struct{})
	go func() { s.owned.Wait(); close(ended) }()
	for {
		s.closeConns((*conn).idle)
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

// stop stops accepting connections.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	if s.listener != nil {
		s.listener.Close()
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
