package vfs

import "sync"

// smallBuffer holds every packet but large READs, WRITEs and listings, in bytes.
const smallBuffer = 4 << 10

// Buffers is where packets live while they are served, shared by all sessions
// of a server: a session that waits for its client holds none. The zero value
// is ready.
type Buffers struct {
	small sync.Pool // of *[smallBuffer]byte
	large sync.Pool // of *[4 + maxPacket]byte
}

// buffer is a slice that goes back to its pool with release.
type buffer struct {
	b     []byte
	from  *Buffers
	small *[smallBuffer]byte
	large *[4 + maxPacket]byte
}

// get is a buffer of n bytes, at most 4+maxPacket, with whatever was in it.
func (p *Buffers) get(n int) buffer {
	if n <= smallBuffer {
		a, _ := p.small.Get().(*[smallBuffer]byte)
		if a == nil {
			a = new([smallBuffer]byte)
		}
		return buffer{b: a[:n], from: p, small: a}
	}
	a, _ := p.large.Get().(*[4 + maxPacket]byte)
	if a == nil {
		a = new([4 + maxPacket]byte)
	}
	return buffer{b: a[:n], from: p, large: a}
}

// release gives the buffer back; a second time does nothing.
func (b *buffer) release() {
	if b.small != nil {
		b.from.small.Put(b.small)
	}
	if b.large != nil {
		b.from.large.Put(b.large)
	}
	*b = buffer{}
}
