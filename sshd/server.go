// Package sshd speaks SSH to clients: it lets in whom keys lets in, and on a
// connection serves the subsystem "sftp" from a library of vfs, and nothing
// else.
//
// The way in is [Server]:
//
//	server.go      Server: accepts connections
//	shutdown.go    ends them in good order
//	config.go      what a Server is built from
//	reload.go      and how that changes while it serves
//	gate.go        which connections are let in, of which slots decides most
//	penalty.go     for how long a source is turned away
//	proxy.go       for whom a proxy connects
//	refusals.go    how many were turned away, by the second
//	conn.go        one connection, and what it owns
//	socket.go      its system calls, few and large
//	wire.go        reads what the client says before the handshake
//	kexinit.go     the packet it says it in (RFC 4253 section 7.1)
//	negotiate.go   what it is offered for it
//	algorithms.go  which algorithms there are
//	login.go       the handshake, up to a login or a refusal
//	tries.go       each try to log in
//	hostkeys.go    the host keys that clients learn, and their proof
//	channels.go    the channels it opens
//	global.go      what it asks of the connection itself
//	keepalive.go   whether the client is still there
//	session.go     one channel: the sftp subsystem, or why not
//	exec.go        the commands there are, none of which runs a program
//	words.go       what is read of a shell's language
//	digests.go     md5sum and its like
//	scp.go         what scp was before it spoke SFTP: options, messages
//	scp_source.go  its sending end
//	scp_sink.go    its receiving end
//	throttle.go    how fast
//	event.go       what is told to those who watch
//
// Every goroutine belongs to a connection, which waits for it, and a panic in
// one ends that connection alone.
package sshd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves SSH connections. Make one with [New].
type Server struct {
	current  atomic.Pointer[Config] // for connections to come
	gate     *gate
	refusals *refusals
	reads    readBuffers
	owned    sync.WaitGroup // a count for each connection's goroutine

	mu       sync.Mutex
	stopping bool               // mu
	listener net.Listener       // mu
	conns    map[*conn]struct{} // mu
}

// New makes a server.
func New(c Config) (*Server, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{gate: newGate(c.Limits), conns: make(map[*conn]struct{})}
	s.current.Store(&c)
	s.refusals = newRefusals(func() *slog.Logger { return s.current.Load().Log })
	return s, nil
}

// Serve accepts connections until [Server.Shutdown], then returns nil; it closes
// the listener. What ctx carries goes to all that is done for a client, and
// nothing is done any more when it ends. Serve is called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	if !s.listen(l) {
		return nil
	}
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.accepted(ctx, nc)
		case errors.Is(err, net.ErrClosed):
			return s.stopped(err)
		default:
			// Out of descriptors, or a client gone before it was accepted.
			s.current.Load().Log.Warn("accept failed", "err", err)
			time.Sleep(acceptPause)
		}
	}
}

// acceptPause keeps a server that is out of descriptors from spinning.
const acceptPause = 50 * time.Millisecond

// listen takes the listener, unless the server is to stop already.
func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = l
	return !s.stopping
}

// stopped is nil if the listener was closed by Shutdown.
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
	c := newConn(ctx, *s.current.Load(), nc, &s.reads, pass, s.refusals)
	if !s.add(c) {
		c.close()
		pass.leave()
		return
	}
	go func() {
		defer s.owned.Done()
		defer pass.leave()
		defer s.remove(c)
		c.run()
	}()
}

// turnAway tells a client why it is not served. RFC 4253 section 4.2 allows
// lines of text before the version, which clients show when they are verbose.
// The few bytes go into the empty buffer of a new socket, so nothing waits.
func (s *Server) turnAway(nc net.Conn, why error) {
	s.refusals.add(why, nc.RemoteAddr())
	nc.SetDeadline(time.Now().Add(time.Second))
	nc.Write([]byte("Not served: " + why.Error() + "; try again later.\r\n"))
	nc.Close()
}

// Connections is how many connections are served now.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.conns[c] = struct{}{}
	s.owned.Add(1)
	return true
}

// own counts a goroutine in, unless the server is to stop already.
func (s *Server) own() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		s.owned.Add(1)
	}
	return !s.stopping
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}
