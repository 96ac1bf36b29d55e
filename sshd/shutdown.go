package sshd

import (
	"context"
	"errors"
	"time"
)

// shutdownPoll is how often connections are asked whether they are idle.
const shutdownPoll = 20 * time.Millisecond

// cleanup is how long connections may take to end once they have been closed:
// time for a disk to finish, not for a client.
const cleanup = 5 * time.Second

// Shutdown stops accepting and closes each connection as soon as it has no file
// open, and all of them when ctx ends; then the error is its cause. It returns when
// all that connections owned has ended.
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

// await gives what was closed the time to end.
func await(ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-time.After(cleanup):
		return errors.New("some connections did not end in time")
	}
}

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
