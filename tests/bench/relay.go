package main

import (
	"bytes"
	"fmt"
	"net"
	"time"
)

// The link that a relay stands for: far away, and not busy.
const (
	linkRate  = 1e9 / 8 // bytes per second in each direction: 1 Gbit/s
	linkPiece = 64 << 10
	linkQueue = 1 << 14              // pieces under way
	linkBurst = 4 * time.Millisecond // how far it may be ahead: sleep is not exact
)

// relay passes connections on to a server, as over a long link: what it reads it
// writes half a round trip later, and no faster than linkRate. It runs in this
// process, so that it needs no rights and no particular system. Unlike a real
// link it loses nothing, and TCP itself sees two short ones.
type relay struct {
	listener net.Listener
	server   string
	oneWay   time.Duration
}

// startRelay has a relay with this round trip listen on loopback.
func startRelay(server string, roundTrip time.Duration) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{l, server, roundTrip / 2}
	go r.serve()
	return r, nil
}

func (r *relay) stop() { r.listener.Close() }

func (r *relay) port() int { return r.listener.Addr().(*net.TCPAddr).Port }

func (r *relay) serve() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.server)
		if err != nil {
			near.Close()
			continue
		}
		go r.pass(near, far)
		go r.pass(far, near)
	}
}

// piece is a part of what passes, and when it arrives.
type piece struct {
	bytes []byte
	due   time.Time
}

// pass carries what comes from one end to the other, until either ends.
func (r *relay) pass(from, to net.Conn) {
	under := make(chan piece, linkQueue)
	go deliver(under, from, to)
	defer close(under)
	b := make([]byte, linkPiece)
	for free := time.Now(); ; { // free is when the link has sent what it was given
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if now := time.Now(); free.Before(now) {
			free = now
		}
		free = free.Add(time.Duration(float64(n) / linkRate * float64(time.Second)))
		under <- piece{bytes.Clone(b[:n]), free.Add(r.oneWay)}
		if ahead := time.Until(free); ahead > linkBurst {
			time.Sleep(ahead)
		}
	}
}

// deliver writes each piece when it is due. At the end it closes the connection
// that it wrote to, and the other one if that cannot be written to.
func deliver(under <-chan piece, from, to net.Conn) {
	defer to.Close()
	for p := range under {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.bytes); err != nil {
			from.Close()
			for range under { // until pass notices
			}
			return
		}
	}
}

// far runs f with the server as it is seen over a long link.
func (s *server) far(roundTrip time.Duration, f func(*server) error) error {
	r, err := startRelay(s.addr(), roundTrip)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	defer r.stop()
	seen := *s
	seen.port = r.port()
	return f(&seen)
}
