package vfs

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/pkg/sftp"
)

// nameServer is a pkg/sftp RequestServer that is asked one packet at a time.
type nameServer struct {
	wire *wire
	done chan struct{} // closed when the RequestServer has ended
}

// startNameServer starts a RequestServer over h; stop ends it.
func startNameServer(h *handlers, pool *Buffers) *nameServer {
	n := &nameServer{
		wire: &wire{requests: make(chan []byte), replies: make(chan buffer), pool: pool},
		done: make(chan struct{}),
	}
	rs := sftp.NewRequestServer(n.wire, sftp.Handlers{FileGet: h, FilePut: h, FileCmd: h, FileList: h})
	n.wire.done = n.done
	go func() {
		defer close(n.done)
		rs.Serve()
	}()
	return n
}

// ask passes f on and puts its reply into r. An error, that the RequestServer
// could not parse the packet, ends the session.
func (n *nameServer) ask(f *frame, r *reply) error {
	select {
	case n.wire.requests <- f.b:
	case <-n.done:
		return errNameServer()
	}
	r.release()
	select {
	case r.buffer = <-n.wire.replies:
		return nil
	case <-n.done:
		return errNameServer()
	}
}

func errNameServer() error {
	return &Error{Kind: ErrBadMessage, Why: "a packet does not parse"}
}

// stop ends the RequestServer, which aborts what is open, and waits for it.
func (n *nameServer) stop() {
	close(n.wire.requests)
	<-n.done
}

// wire is the RequestServer's end of the conversation: what it reads is the one
// request that was asked, what it writes is collected into one reply.
type wire struct {
	requests chan []byte
	replies  chan buffer
	done     chan struct{}
	pool     *Buffers
	request  []byte // what is left to read
	reply    []byte // what is written so far
}

// Read hands out the request; the end of requests is the end of the channel.
func (w *wire) Read(p []byte) (int, error) {
	if len(w.request) == 0 {
		request, ok := <-w.requests
		if !ok {
			return 0, io.EOF
		}
		w.request = request
	}
	n := copy(p, w.request)
	w.request = w.request[n:]
	return n, nil
}

// Write takes a piece of a reply and delivers it once it is whole.
func (w *wire) Write(p []byte) (int, error) {
	w.reply = append(w.reply, p...)
	if len(w.reply) < 4 || len(w.reply) < 4+int(binary.BigEndian.Uint32(w.reply)) {
		return len(p), nil
	}
	if len(w.reply) > 4+maxPacket {
		return 0, errors.New("reply too long")
	}
	b := w.pool.get(len(w.reply))
	copy(b.b, w.reply)
	w.reply = w.reply[:0]
	if cap(w.reply) > smallBuffer {
		w.reply = nil // a listing was large; an idle session keeps nothing
	}
	select {
	case w.replies <- b:
	case <-w.done:
	}
	return len(p), nil
}

// Close is called by the RequestServer when it gives up; its Serve returns.
func (w *wire) Close() error { return nil }
