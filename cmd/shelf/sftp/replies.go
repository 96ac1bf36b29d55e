package sftp

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"
)

// call is a request that was sent.
type call struct {
	into []byte // the buffer for the data of a READ
	n    int    // bytes of data in it
	kind byte
	body []byte // the reply, unless it is data
	err  error
	done chan struct{}
}

// answered tells whether the reply is there.
func (q *call) answered() bool { return len(q.done) > 0 }

// expect returns the reply if it is of the wanted kind, and a STATUS as an error.
func (q *call) expect(want byte) (*reply, error) {
	r := &reply{rest: q.body}
	if q.kind == fxpStatus {
		if err := statusOf(r); err != nil || want == fxpStatus {
			return r, err
		}
	}
	if q.kind != want {
		return nil, fmt.Errorf("%w: a reply of type %d instead of %d", errMalformed, q.kind, want)
	}
	return r, nil
}

// maxReply is the longest packet that is taken from a server: 256 KiB of data and
// its head. OpenSSH has the same limit.
const maxReply = 256<<10 + 1024

// receive hands replies to their calls until the channel ends.
func (c *channel) receive(out io.Reader) {
	defer close(c.done)
	in := bufio.NewReaderSize(countingReader{out, &c.moved}, 64<<10)
	for {
		if err := c.receiveOne(in); err != nil {
			c.fail(err)
			c.Close()
			return
		}
	}
}

func (c *channel) receiveOne(in *bufio.Reader) error {
	var head [packetHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(head[:])) - 5 // without the type and the id
	if n < 0 || n > maxReply {
		return fmt.Errorf("%w: a packet of %d bytes", errMalformed, n)
	}
	id := binary.BigEndian.Uint32(head[5:])
	if head[4] == fxpVersion {
		id = versionID
	}
	c.mu.Lock()
	q := c.pending[id]
	delete(c.pending, id)
	c.mu.Unlock()
	if q == nil {
		return fmt.Errorf("%w: a reply to no request", errMalformed)
	}
	q.kind = head[4]
	err := q.read(in, int(n))
	if err != nil {
		q.err = c.fail(err) // a connection that ends within a reply is lost, too
	}
	q.done <- struct{}{}
	return err
}

// read reads the body of a reply, n bytes.
func (q *call) read(in io.Reader, n int) error {
	if q.kind != fxpData || q.into == nil {
		q.body = make([]byte, n)
		_, err := io.ReadFull(in, q.body)
		return err
	}
	var length [4]byte
	if n < len(length) {
		return errMalformed
	}
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return err
	}
	if n -= len(length); int64(n) != int64(binary.BigEndian.Uint32(length[:])) || n > len(q.into) {
		return fmt.Errorf("%w: more data than was asked for", errMalformed)
	}
	q.n = n
	_, err := io.ReadFull(in, q.into[:n])
	return err
}

// countingReader counts the bytes that are read.
type countingReader struct {
	io.Reader
	n *atomic.Uint64
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n.Add(uint64(n))
	return n, err
}
