package tests

import (
	"net"
	"sync"
	"testing"
	"time"
)

// link is a proxy before a server: a long one, or one that breaks.
type link struct {
	addr  string
	delay time.Duration // of each direction

	mu   sync.Mutex // guards what follows
	to   string
	left int64  // bytes that still pass before what follows
	then func() // nil is nothing
	open map[*net.TCPConn]bool
}

// newLink listens for connections to a server; it ends with the test.
func newLink(t testing.TB, to string, delay time.Duration) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{addr: listener.Addr().String(), to: to, delay: delay, open: make(map[*net.TCPConn]bool)}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { l.carry(c.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		l.cut()
		all.Wait()
	})
	return l
}

// after has something done once so many bytes more have passed.
func (l *link) after(n int64, then func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.then = n, then
}

// rest is how many bytes still have to pass before something is done.
func (l *link) rest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left
}

// redirect leads connections to come to another server.
func (l *link) redirect(to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = to
}

// cut resets all connections, as a machine does that was switched off and on.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		c.SetLinger(0)
		c.Close()
		delete(l.open, c)
	}
}

func (l *link) carry(client *net.TCPConn) {
	l.mu.Lock()
	to := l.to
	l.mu.Unlock()
	c, err := net.Dial("tcp", to)
	if err != nil {
		client.Close()
		return
	}
	server := c.(*net.TCPConn)
	l.mu.Lock()
	l.open[client], l.open[server] = true, true
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.pipe(server, client) })
	both.Go(func() { l.pipe(client, server) })
	both.Wait()
	l.mu.Lock()
	delete(l.open, client)
	delete(l.open, server)
	l.mu.Unlock()
	client.Close()
	server.Close()
}

// late is what arrived, and when it may go on.
type late struct {
	data []byte
	at   time.Time
}

// pipe carries one direction. It delays and does not throttle: what is on its
// way waits in a queue, as on a long line.
func (l *link) pipe(to, from *net.TCPConn) {
	queue := make(chan late, 4096)
	go func() {
		defer close(queue)
		for {
			b := make([]byte, 64<<10)
			n, err := from.Read(b)
			if n > 0 {
				queue <- late{b[:n], time.Now().Add(l.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range queue {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.data); err != nil {
			from.Close()
			for range queue {
			}
			break
		}
		l.passed(len(p.data))
	}
	to.CloseWrite()
}

// passed counts, and does what is to be done when it is time.
func (l *link) passed(n int) {
	l.mu.Lock()
	then := l.then
	if l.left -= int64(n); l.left > 0 {
		then = nil
	} else {
		l.then = nil
	}
	l.mu.Unlock()
	if then != nil {
		then()
	}
}
