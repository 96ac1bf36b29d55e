package scanner

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"

	"shelf/vfs/gate"
)

// errGone is the answer of a process that has ended.
var errGone = errors.New("the process that asks scanners has ended; restart the server")

// Process asks scanners from another process. It is safe for concurrent use.
type Process struct {
	addresses []gate.Address
	conn      *net.UnixConn
	log       *slog.Logger

	mu      sync.Mutex
	last    uint64                // id; mu
	waiting map[uint64]chan reply // mu
	gone    bool                  // mu
	closed  bool                  // by us; mu
}

// newProcess talks to a process over conn.
func newProcess(addresses []gate.Address, conn *net.UnixConn, log *slog.Logger) *Process {
	p := &Process{addresses: addresses, conn: conn, log: log, waiting: make(map[uint64]chan reply)}
	go p.listen()
	return p
}

// Knows tells whether the process may ask a scanner.
func (p *Process) Knows(at gate.Address) bool { return slices.Contains(p.addresses, at) }

// Scanner is one of the scanners that the process may ask.
func (p *Process) Scanner(at gate.Address) gate.Scanner {
	return remote{p, slices.Index(p.addresses, at)}
}

// Gone tells whether the process has ended.
func (p *Process) Gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// Close ends the process. What it was asked has no answer.
func (p *Process) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	return p.conn.Close()
}

// listen hands out replies until the process is gone.
func (p *Process) listen() {
	buffer := make([]byte, maxMessage)
	for {
		n, err := p.conn.Read(buffer)
		var r reply
		if err == nil {
			err = json.Unmarshal(buffer[:n], &r)
		}
		if err != nil {
			p.end(err)
			return
		}
		p.mu.Lock()
		if c := p.waiting[r.ID]; c != nil {
			c <- r // it has room for one
			delete(p.waiting, r.ID)
		}
		p.mu.Unlock()
	}
}

// end tells all who wait, and the log, that no reply will come any more.
func (p *Process) end(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	for id, c := range p.waiting {
		close(c)
		delete(p.waiting, id)
	}
	if !p.closed {
		p.log.Error("the process that asks scanners has ended: from now on gates have no verdict; restart the server", "reason", why)
	}
}

// ask sends a request and waits for its reply.
func (p *Process) ask(ctx context.Context, q request, file *os.File) (reply, error) {
	c := make(chan reply, 1)
	p.mu.Lock()
	if p.gone {
		p.mu.Unlock()
		return reply{}, errGone
	}
	p.last++
	q.ID = p.last
	p.waiting[q.ID] = c
	p.mu.Unlock()
	text, err := json.Marshal(q)
	if err == nil {
		err = gate.Send(p.conn, text, file)
	}
	if err != nil {
		p.forget(q.ID)
		return reply{}, err
	}
	select {
	case r, ok := <-c:
		switch {
		case !ok:
			return r, errGone
		case r.Error != "":
			return r, errors.New(r.Error)
		}
		return r, nil
	case <-ctx.Done():
		p.forget(q.ID)
		if text, err := json.Marshal(request{ID: q.ID, Cancel: true}); err == nil {
			gate.Send(p.conn, text, nil)
		}
		return reply{}, context.Cause(ctx)
	}
}

func (p *Process) forget(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, id)
}

// remote is a scanner that the process asks.
type remote struct {
	p     *Process
	index int
}

// Scan implements [gate.Scanner].
func (s remote) Scan(ctx context.Context, about gate.File, file *os.File) (gate.Verdict, error) {
	r, err := s.p.ask(ctx, request{Scanner: s.index, File: about}, file)
	return r.Verdict, err
}

// Ping implements [gate.Scanner].
func (s remote) Ping(ctx context.Context) (string, error) {
	r, err := s.p.ask(ctx, request{Scanner: s.index, Ping: true}, nil)
	return r.Said, err
}
