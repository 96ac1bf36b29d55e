package sftp

import "sync"

// The sizes of buffers, in bytes. The first holds every packet but large READs,
// WRITEs and listings, the second a piece of a WRITE, the last any packet.
const (
	smallBuffer = 4 << 10
	pieceBuffer = writePiece + 1<<10
	largeBuffer = 4 + maxPacket
)

// Buffers is where packets live while they are served, shared by all sessions
// of a server: a session that waits for its client holds none. The zero value
// is ready.
type Buffers struct {
	small, piece, large sync.Pool // of *[]byte
}

// buffer is a slice that goes back to its pool with release.
type buffer struct {
	b    []byte
	all  *[]byte // what b is a part of
	pool *sync.Pool
}

// get is a buffer of n bytes, at most largeBuffer, with whatever was in it. Its
// capacity is that of its size.
func (p *Buffers) get(n int) buffer {
	switch {
	case n <= smallBuffer:
		return getFrom(&p.small, n, smallBuffer)
	case n <= pieceBuffer:
		return getFrom(&p.piece, n, pieceBuffer)
	}
	return getFrom(&p.large, n, largeBuffer)
}

func getFrom(pool *sync.Pool, n, size int) buffer {
	all, _ := pool.Get().(*[]byte)
	if all == nil {
		b := make([]byte, size)
		all = &b
	}
	return buffer{b: (*all)[:n], all: all, pool: pool}
}

// release gives the buffer back; a second time does nothing.
func (b *buffer) release() {
	if b.pool != nil {
		b.pool.Put(b.all)
	}
	*b = buffer{}
}
