package sftp

import (
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"

	"shelf/vfs"
)

// restAfter is how long a session may ask nothing by name, with nothing open,
// before its RequestServer ends: a dozen goroutines that only wait.
const restAfter = time.Second

// nameServer is a pkg/sftp RequestServer that is asked one packet at a time. It
// is started when it is needed.
type nameServer struct {
	h    *handlers
	pool *Buffers
	wire *wire // nil if none runs
}

// ask passes f on and puts its reply into r. An error, that the RequestServer
// could not parse the packet, ends the session.
func (n *nameServer) ask(f *frame, r *reply) error {
	w := n.awake()
	select {
	case w.requests <- f.b:
	case <-w.done:
		return errNameServer()
	}
	r.release()
	select {
	case r.buffer = <-w.replies:
	case <-w.done:
		return errNameServer()
	}
	if _, opened := r.handle(); !opened {
		w.held.Add(-1)
	}
	return nil
}

// closed is told when a handle that a reply had is not open any more.
func (n *nameServer) closed() { n.wire.held.Add(-1) }

// awake is a RequestServer that will not rest before its next reply.
func (n *nameServer) awake() *wire {
	if n.wire != nil && n.wire.held.Add(1) <= 0 {
		<-n.wire.done
		n.wire = nil
	}
	if n.wire == nil {
		n.wire = &wire{requests: make(chan []byte), replies: make(chan buffer), done: make(chan struct{}), pool: n.pool}
		n.wire.held.Store(1)
		go n.wire.serve(n.h)
	}
	return n.wire
}

func errNameServer() error {
	return &vfs.Error{Kind: vfs.ErrBadMessage, Why: "a packet does not parse"}
}

// stop ends the RequestServer, which aborts what is open, and waits for it.
func (n *nameServer) stop() {
	if n.wire != nil {
		close(n.wire.requests)
		<-n.wire.done
	}
}

// wire is the RequestServer's end of the conversation: what it reads is the one
// request that was asked, what it writes is collected into one reply.
type wire struct {
	requests chan []byte
	replies  chan buffer
	done     chan struct{} // closed when the RequestServer has ended
	pool     *Buffers
	held     atomic.Int32 // open handles, and a request under way; resting where it ends
	request  []byte       // what is left to read
	reply    []byte       // what is written so far
}

// resting is the value of held that marks a RequestServer which has ended because
// nobody needed it.
const resting = -1 << 16

func (w *wire) serve(h *handlers) {
	defer close(w.done)
	handlers := sftp.Handlers{FileGet: h, FilePut: h, FileCmd: h, FileList: h}
	sftp.NewRequestServer(w, handlers, sftp.WithStartDirectory(h.access.Start())).Serve()
}

// Read hands out the request; the end of requests is the end of the channel.
func (w *wire) Read(p []byte) (int, error) {
	if len(w.request) == 0 && !w.await() {
		return 0, io.EOF
	}
	n := copy(p, w.request)
	w.request = w.request[n:]
	return n, nil
}

// await waits for a request; it is false when there will be none.
func (w *wire) await() (ok bool) {
	for {
		rest := time.NewTimer(restAfter)
		select {
		case w.request, ok = <-w.requests:
			rest.Stop()
			return ok
		case <-rest.C:
			if w.held.CompareAndSwap(0, resting) {
				return false
			}
		}
	}
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
