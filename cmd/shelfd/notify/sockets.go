package notify

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
)

// firstSocket is the descriptor of the first socket (sd_listen_fds(3)).
const firstSocket = 3

// maxSockets is more than anybody passes.
const maxSockets = 1000

// Listen is what accepts connections at all the sockets that the service manager has
// opened for this process; nil is that it has opened none. The variables are those of
// sd_listen_fds(3). The sockets stay open where else they are: if the server is
// replaced, the next one goes on with them, and no client is refused in between.
func Listen(getenv func(string) string) (net.Listener, error) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil // they are for another process
	}
	count, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || count < 0 || count > maxSockets {
		return nil, fmt.Errorf("LISTEN_FDS is %q, which is no number of sockets", getenv("LISTEN_FDS"))
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	var all sockets
	for n := range count {
		name := ""
		if n < len(names) {
			name = names[n]
		}
		l, err := listenAt(firstSocket+n, name)
		if err != nil {
			all.closeAll()
			return nil, fmt.Errorf("socket %d of the service manager, called %q: %w", n+1, name, err)
		}
		all.listeners = append(all.listeners, l)
	}
	if count == 0 {
		return nil, nil
	}
	all.accepted = make(chan accepted)
	go all.run()
	return &all, nil
}

func listenAt(fd int, name string) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("it is no socket that accepts connections (Accept=no): %w", err)
	}
	if _, ok := l.(*net.TCPListener); !ok {
		l.Close()
		return nil, errors.New("it is not for TCP")
	}
	return l, nil
}

// sockets accepts at several sockets. A connection that was accepted is never
// dropped: Accept returns it also after Close.
type sockets struct {
	listeners []net.Listener
	accepted  chan accepted // closed when all listeners are
}

type accepted struct {
	conn net.Conn
	err  error
}

func (s *sockets) run() {
	var all sync.WaitGroup
	for _, l := range s.listeners {
		all.Go(func() {
			for {
				conn, err := l.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				s.accepted <- accepted{conn, err}
			}
		})
	}
	all.Wait()
	close(s.accepted)
}

// Accept implements [net.Listener].
func (s *sockets) Accept() (net.Conn, error) {
	a, ok := <-s.accepted
	if !ok {
		return nil, net.ErrClosed
	}
	return a.conn, a.err
}

// Addr is that of the first socket.
func (s *sockets) Addr() net.Addr { return s.listeners[0].Addr() }

// Close has no more connections accepted by this process.
func (s *sockets) Close() error { return s.closeAll() }

func (s *sockets) closeAll() (err error) {
	for _, l := range s.listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}
