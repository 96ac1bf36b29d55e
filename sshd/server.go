// Package sshd is the SSH server: it lets clients log in, and serves libraries to
// them by SFTP, scp and a few commands, and nothing else.
//
// Start with [Server]:
//
//	server.go      Server: accepts connections
//	config.go      the configuration of a Server
//	reload.go      replaces it while the Server runs, and judges those who are connected
//	shutdown.go    stops the Server after its transfers
//	gate.go        which connections are let in; package slots decides most of it
//	penalty.go     refuses a source for a while after failed logins
//	refusals.go    how many were refused, by the second
//	proxy.go       the client's address, from a PROXY header
//
// A connection, from its first byte to its last:
//
//	conn.go        the connection and its goroutines; package wire has its bytes
//	negotiate.go   which algorithms this client is offered
//	algorithms.go  all algorithms
//	login.go       the handshake and the login
//	tries.go       each try to log in
//	hostkeys.go    announces host keys and proves them, and refuses other global requests
//	lost.go        tells a lost connection from the end of a channel
//	keepalive.go   closes the connection of a client that no longer answers
//	throttle.go    rate limits
//	end.go         what is known of it from outside; the server ends it
//	event.go       what is reported
//
// What runs on it:
//
//	channels.go    the channels that the client opens
//	session.go     a channel: starts the sftp subsystem (package sftp) or a command
//	exec.go        a command; package command has the commands
//
// A connection waits for all its goroutines. A panic in one of them ends only
// that connection.
package sshd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"shelf/sshd/budget"
	"shelf/sshd/sftp"
	"shelf/sshd/window"
	"shelf/sshd/wire"
	"shelf/vfs/access"
)

// Server serves SSH connections. Make one with [New].
type Server struct {
	current  atomic.Pointer[Config] // for new connections
	gate     *gate
	refusals *refusals
	reads    wire.Buffers
	buffers  sftp.Buffers        // of all sftp sessions
	held     *access.Temporaries // by all sftp sessions
	windows  *window.Pool        // of all channels
	traffic  access.Traffic
	panics   atomic.Int64
	owned    sync.WaitGroup // the goroutines of connections

	mu       sync.Mutex
	stopping bool               // mu
	serving  sync.WaitGroup     // calls of Serve that may still accept; added to with mu
	listener net.Listener       // mu
	conns    map[*conn]struct{} // mu
}

// New makes a server. It returns an error for a configuration that makes no sense.
func New(c Config) (*Server, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{gate: newGate(c.Limits), held: access.NewTemporaries(), windows: window.NewPool(c.Limits.Memory / 2), conns: make(map[*conn]struct{})}
	s.current.Store(&c)
	s.refusals = newRefusals(func() *slog.Logger { return s.current.Load().Log })
	return s, nil
}

// Serve accepts connections until [Server.Shutdown], then returns nil. It closes
// the listener. When ctx ends, all connections end. Serve is called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	if !s.listen(l) {
		return nil
	}
	defer s.serving.Done()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go s.watch(watching)
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.accepted(ctx, nc)
		case errors.Is(err, net.ErrClosed):
			return s.stopped(err)
		default:
			// No file descriptor is left, or the client has left already.
			s.current.Load().Log.Warn("accept failed", "err", err)
			time.Sleep(acceptPause)
		}
	}
}

// acceptPause keeps Serve from a busy loop while no file descriptor is left.
const acceptPause = 50 * time.Millisecond

// listen stores the listener for Shutdown. It is false if the server is stopping
// already.
func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.listener = l
	s.serving.Add(1)
	return true
}

// stopped returns err, or nil if Shutdown has closed the listener.
func (s *Server) stopped(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil
	}
	return err
}

// start serves a connection that has been let in.
func (s *Server) start(ctx context.Context, nc net.Conn, pass *pass) {
	c := s.newConn(ctx, nc, pass)
	s.add(c)
	go func() {
		defer s.owned.Done()
		defer pass.leave()
		defer s.remove(c)
		c.run()
	}()
}

// turnAway tells a client why it is refused. RFC 4253 section 4.2 allows lines of
// text before the version line; clients show them with -v. The write does not
// block, since the buffer of a new socket is empty.
func (s *Server) turnAway(nc net.Conn, why error) {
	s.refusals.add(why, nc.RemoteAddr())
	nc.SetDeadline(time.Now().Add(time.Second))
	nc.Write([]byte("Not served: " + why.Error() + "; try again later.\r\n"))
	nc.Close()
}

// Count returns how many connections there are, logged in or not.
func (s *Server) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Stats is how much of what there is.
type Stats struct {
	Startups    int   // connections that are not logged in yet
	Connections int   // that are logged in
	Channels    int   // sessions of SFTP, and commands
	OpenFiles   int   // files, uploads and listings that are open, and commands
	Memory      int64 // that clients make the server hold, in bytes
	Received    int64 // bytes of content, since the start
	Sent        int64 // the same
	Panics      int64 // since the start

	// Refused is how many connections were turned away since the start, or ended
	// without a try to log in and have no event, by the reason: a word.
	Refused map[string]int64
}

// Stats tells how much of what there is now.
func (s *Server) Stats() Stats {
	used := func(k budget.Kind) int { return int(s.gate.budget.Used(k)) }
	return Stats{
		Startups: s.gate.waiting.Waiting(), Connections: used(budget.Connections), Channels: used(budget.Channels),
		OpenFiles: used(budget.OpenFiles), Memory: s.gate.budget.Used(budget.Memory),
		Received: s.traffic.Received.Load(), Sent: s.traffic.Sent.Load(), Panics: s.panics.Load(),
		Refused: s.refusals.totals(),
	}
}

// add counts a connection.
func (s *Server) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	s.owned.Add(1)
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}
