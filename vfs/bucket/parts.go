package bucket

import (
	"context"
	"sync"
)

// The parts of an upload. The store takes at most 10,000 of them, of which each but
// the last has at least 5 MiB.
const (
	maxParts   = 10_000
	partUnit   = 8 << 20
	partsAlike = 72 // how many parts have the same size
	minCopy    = 5 << 20
)

// sizing says how large the parts of an upload are: growing, so that a small upload
// has small ones, and 10,000 of them hold 5 TiB. It depends on the number of a part
// alone, so that any node can go on with an upload.
type sizing struct{ fixed int64 }

// size is how many bytes part k has; the first one is 1.
func (z sizing) size(k int32) int64 { return z.end(k) - z.end(k-1) }

// end is where part k ends, in bytes from the start.
func (z sizing) end(k int32) int64 {
	n := int64(k)
	if z.fixed > 0 {
		return n * z.fixed
	}
	groups, rest := n/partsAlike, n%partsAlike
	return partUnit * (partsAlike*groups*(groups+1)/2 + rest*(groups+1))
}

// count is how many parts size bytes make.
func (z sizing) count(size int64) int32 {
	low, high := int32(1), int32(maxParts)
	for low < high {
		if mid := (low + high) / 2; z.end(mid) >= size {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// maxAhead is how many parts of one upload wait or are sent at a time; more of it is
// not taken from the client meanwhile.
const maxAhead = 4

// parts is what was sent of an upload.
type parts struct {
	key   string
	ahead chan struct{}
	busy  sync.WaitGroup

	beginning sync.Mutex // held while it begins at the store

	mu    sync.Mutex
	id    string   // the store's; "" is not begun
	etags []string // by number, from part 1 on; "" is not sent, or not as it is now
	bad   error    // a part was not sent
}

// newParts are the parts of an upload of which nothing was sent.
func (u *upload) newParts() *parts {
	return &parts{key: u.b.store.fileKey(u.name), ahead: make(chan struct{}, maxAhead)}
}

// advance sends the parts that are whole. The last one is not: until Commit nobody
// knows that it is the last, and a small file has no parts. While all is well with the
// store they are sent in order, so that what is kept of a cut upload is much.
func (u *upload) advance() error {
	if u.late || u.base != nil {
		return nil
	}
	if u.next == 0 {
		u.next = 1
	}
	for u.content.Prefix() > u.sizes.end(u.next) {
		if u.lookAtLast(u.ctx) != nil {
			return nil // Commit will try again
		}
		if u.parts == nil {
			u.parts = u.newParts()
		}
		if u.parts.failed() {
			return nil // Commit will try again
		}
		if err := u.send(u.next, u.sizes.end(u.next), nil); err != nil {
			return err
		}
		u.next++
	}
	return nil
}

// send has a part sent that ends at an offset; from, if it is not nil, is a version
// of a file from which the store copies it. It waits for its turn.
func (u *upload) send(k int32, end int64, from *look) error {
	p := u.parts
	select {
	case p.ahead <- struct{}{}:
	case <-u.sending.Done():
		return u.sending.Err()
	case <-u.ctx.Done():
		return u.ctx.Err()
	}
	p.busy.Go(func() {
		defer func() { <-p.ahead }()
		off := u.sizes.end(k - 1)
		etag, err := u.sendNow(k, span{off, end - off}, from)
		p.sent(k, etag, err)
		if err == nil {
			u.recorder.note(u)
		}
	})
	return nil
}

func (u *upload) sendNow(k int32, r span, from *look) (etag string, err error) {
	id, err := u.beginParts(u.sending)
	if err != nil {
		return "", err
	}
	if err := u.b.o.Slots.take(u.sending); err != nil {
		return "", err
	}
	defer u.b.o.Slots.release()
	if from != nil {
		return u.b.store.copyPart(u.sending, u.parts.key, id, k, from, r)
	}
	b, err := bodyOf(u.disk, r.off, r.n)
	if err != nil {
		return "", err
	}
	return u.b.store.putPart(u.sending, u.parts.key, id, k, b)
}

// beginParts begins the upload at the store, once.
func (u *upload) beginParts(ctx context.Context) (id string, err error) {
	p := u.parts
	p.beginning.Lock()
	defer p.beginning.Unlock()
	if id := p.uploadID(); id != "" {
		return id, nil
	}
	if id, err = u.b.store.beginParts(ctx, p.key, map[string]string{metaID: u.id}); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id = id
	return id, nil
}

func (p *parts) uploadID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id
}

// sent notes a part.
func (p *parts) sent(k int32, etag string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for int32(len(p.etags)) < k {
		p.etags = append(p.etags, "")
	}
	p.etags[k-1] = etag
	if err != nil {
		p.etags[k-1] = ""
		p.bad = err
	}
}

// failed tells whether a part was not sent.
func (p *parts) failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bad != nil
}

// takeError is why a part was not sent, and forgets it.
func (p *parts) takeError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.bad
	p.bad = nil
	return err
}

// wait waits for the parts that are being sent.
func (p *parts) wait() { p.busy.Wait() }

// has tells whether a part was sent as it is now.
func (p *parts) has(k int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(k) <= len(p.etags) && p.etags[k-1] != ""
}

// inOrder is how many parts from the first on were sent without a gap.
func (p *parts) inOrder() int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, etag := range p.etags {
		if etag == "" {
			return int32(i)
		}
	}
	return int32(len(p.etags))
}

// first are the ETags of the first n parts.
func (p *parts) first(n int32) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.etags[:n]...)
}

// forget forgets the parts that have bytes from off to end: they are sent again.
func (p *parts) forget(z sizing, off, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.etags {
		k := int32(i + 1)
		if z.end(k) > off && z.end(k-1) < end {
			p.etags[i] = ""
		}
	}
}

// forgetAll has all parts sent again, under another id.
func (p *parts) forgetAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id, p.etags, p.bad = "", nil, nil
}

// dropParts drops what was sent.
func (u *upload) dropParts() {
	if u.parts == nil {
		return
	}
	u.parts.wait()
	if id := u.parts.uploadID(); id != "" {
		ctx, cancel := u.b.after()
		defer cancel()
		u.b.store.abortParts(ctx, u.parts.key, id)
	}
	u.parts, u.next = nil, 1
}

// after is the ctx of what must be done when nobody waits for it any more.
func (b *Bucket) after() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 2*b.store.timeout)
}
